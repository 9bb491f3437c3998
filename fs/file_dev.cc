// file_read and file_write: the contents of regular files, through the buffer cache.
//
// Both hold the inode's lock, so that a reader never reads a zone that truncate has freed and
// another file uses. User memory is already present: copying causes no page fault, so a block's
// bytes change in one edit (in 0.11 a fault in the middle could lose bytes).
//
// A write calls these in turn; beside each name, what it handles:
//   sys_write               a descriptor, checked user memory        kernel/sys_write.cc
//   write_open_file         a file of any kind                       fs/read_write.cc
//   file_write              the contents of a regular file           here, as all below
//   write_in_one_operation  so much that it fits into one operation; the inode is locked
//   write_under_lock        its bytes, with the file's new length
//   write_in_one_block      the bytes that stand in one block
// A read calls in turn: sys_read, read_open_file, file_read, read_under_lock, read_in_one_block.
// block_dev.cc does the same for a block device, which has no inode to lock.
#include "fs/file_dev.h"

#include "fs/checkpoint/absence.h"

#include <algorithm>
#include <cstring>

#include "fs/bmap.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/inode.h"
#include "fs/inode_lock.h"
#include "fs/truncate.h"
#include "hal/clock.h"

namespace {

// Starts to read the file's blocks [first, end). Returns the first block whose read could not be
// started, otherwise `end`. Holes need no read.
u32 start_reads(m_inode& inode, u32 first, u32 end) {
  u32 next = first;
  for (; next < end; ++next) {
    const result<block_nr> block = bmap(inode, next);
    if (!block || (*block != block_nr{} && !start_read(inode.i_dev, *block))) break;
  }
  return next;
}

// Starts to read the indirect block that stores the zone number of `file_block`, if there is one.
void ask_for_map(m_inode& inode, u32 file_block) {
  const result<block_nr> map = map_of(inode, file_block);
  if (map && *map != block_nr{}) start_read(inode.i_dev, *map);
}

// Starts to read blocks of `range`: the first `wanted`, which the call reads in any case, and the
// blocks behind them as far as one indirect block stores their zone numbers. If the window goes on
// behind that indirect block, the next indirect block is read too: on the device it mostly follows
// these blocks, and the next window then need not wait for it.
void ask_for(m_inode& inode, read_ahead& ahead, block_range range, u32 wanted) {
  const u32 file_blocks = (inode.i_size + BLOCK_SIZE - 1) / BLOCK_SIZE;
  const u32 wanted_end = range.first + wanted;
  const u32 map_end = std::max(end_of_map(range.first), wanted_end);
  const u32 next = start_reads(inode, range.first, std::min({range.end, file_blocks, map_end}));
  ahead.asked(next);
  const bool reads_ahead = range.end > wanted_end;
  const bool stopped_at_map_end = next == map_end && next < file_blocks;
  if (reads_ahead && stopped_at_map_end) ask_for_map(inode, next);
}

// The buffer of a block that peek_block did not give; the call reads `wanted` blocks from it on.
result<buffer_ref> read_file_block(m_inode& inode, read_ahead& ahead, u32 file_block,
                                   block_nr block, u32 wanted) {
  if (buffer_ref cached = get_hash_table(inode.i_dev, block); cached && cached.head()->b_uptodate)
    return cached;
  ask_for(inode, ahead, ahead.missed(file_block, wanted, buffer_total()), wanted);
  return bread(inode.i_dev, block);
}

// Reads the bytes of [position, position + to.size()) that are in the first block; returns how
// many.
result<u32> read_in_one_block(m_inode& inode, read_ahead& ahead, u32 position, std::span<byte> to) {
  const u32 file_block = position / BLOCK_SIZE, offset = position % BLOCK_SIZE;
  const u32 size = static_cast<u32>(to.size());
  const u32 count = std::min(size, BLOCK_SIZE - offset);
  if (ahead.comes_to(file_block)) ask_for(inode, ahead, ahead.next_window(buffer_total()), 0);
  const block_nr block = TRY(bmap(inode, file_block));
  if (block == block_nr{}) {
    std::memset(to.data(), 0, count);
  } else if (const byte* cached = peek_block(inode.i_dev, block)) {
    std::memcpy(to.data(), cached + offset, count);
  } else {
    const u32 wanted = (offset + size + BLOCK_SIZE - 1) / BLOCK_SIZE;
    const buffer_ref buffer = TRY(read_file_block(inode, ahead, file_block, block, wanted));
    std::memcpy(to.data(), buffer.data().data() + offset, count);
  }
  return count;
}

// Fills `to` up to the end of the file; returns how many bytes. The inode is locked.
result<u32> read_under_lock(m_inode& inode, read_ahead& ahead, u32 position, std::span<byte> to) {
  if (position >= inode.i_size) return 0;
  to = to.first(std::min(to.size(), size_t{inode.i_size - position}));
  u32 done = 0;
  while (done < to.size()) {
    const result<u32> piece = read_in_one_block(inode, ahead, position + done, to.subspan(done));
    if (!piece && done == 0) return fail(piece.error());
    if (!piece) break;
    done += *piece;
  }
  return done;
}

// Writes the bytes of `from` that belong into the first block, which is allocated if it is missing;
// returns how many.
result<u32> write_in_one_block(operation& op, m_inode& inode, u32 position,
                               std::span<const byte> from) {
  const u32 offset = position % BLOCK_SIZE;
  from = from.first(std::min(from.size(), size_t{BLOCK_SIZE - offset}));
  const u32 count = static_cast<u32>(from.size());
  const created_block at = TRY(create_block(op, inode, position / BLOCK_SIZE, {offset, from}));
  if (at.fresh) return count;
  const auto copy = [&](std::span<byte> to) { std::memcpy(to.data(), from.data(), to.size()); };
  const bool whole = count == BLOCK_SIZE;
  buffer_ref buffer = TRY(whole ? getblk(inode.i_dev, at.number) : bread(inode.i_dev, at.number));
  op.about(inode.i_num, inode.i_path);
  if (whole) {
    TRY(buffer.overwrite(op, copy));
  } else {
    TRY(buffer.modify(op, offset, count, copy));
  }
  return count;
}

// Writes the first part of `from`, as much as one operation covers; returns how many bytes. The
// inode is locked for change.
result<u32> write_under_lock(operation& op, m_inode& inode, u32 position,
                             std::span<const byte> from) {
  if (position >= MAX_FILE_SIZE) return fail(error::efbig);
  if (position > inode.i_size) {
    TRY(zero_tail(op, inode, inode.i_size));
    op.end_step();
  }
  const u32 room =
      std::min(WRITE_CHUNK_BLOCKS * BLOCK_SIZE - position % BLOCK_SIZE, MAX_FILE_SIZE - position);
  from = from.first(std::min(from.size(), size_t{room}));
  u32 done = 0;
  while (done < from.size()) {
    const result<u32> piece = write_in_one_block(op, inode, position + done, from.subspan(done));
    if (!piece && done == 0) return fail(piece.error());
    if (!piece) break;
    done += *piece;
    op.end_step();
  }
  inode.i_size = std::max(inode.i_size, position + done);
  inode.i_mtime = current_time();
  inode.i_dirt = true;
  return done;
}

result<u32> write_in_one_operation(m_inode& inode, file& filp, std::span<const byte> from) {
  fs_operation op = TRY(begin_operation(inode));
  inode_change change(op);
  TRY(change.begin({&inode}));
  const u32 position = filp.f_flags & abi::o_append ? inode.i_size : filp.f_pos;
  const u32 done = TRY(write_under_lock(op, inode, position, from));
  filp.f_pos = position + done;
  return done;
}

}  // namespace

result<u32> file_read(m_inode& inode, file& filp, std::span<byte> to) {
  const inode_lock lock = TRY(inode_lock::take(inode));
  const u32 done = TRY(read_under_lock(inode, filp.f_ahead, filp.f_pos, to));
  filp.f_pos += done;
  return done;
}

result<u32> file_write(m_inode& inode, file& filp, std::span<const byte> from) {
  u32 done = 0;
  while (done < from.size()) {
    const result<u32> chunk = write_in_one_operation(inode, filp, from.subspan(done));
    if (!chunk && done == 0) return chunk;
    if (!chunk) break;
    done += *chunk;
  }
  return done;
}

result<u32> read_contents(m_inode& inode, u32 offset, std::span<byte> to) {
  return checkpoint::at_the_door([&]() -> result<u32> {
    const inode_lock lock = TRY(inode_lock::take(inode));
    read_ahead ahead;
    return read_under_lock(inode, ahead, offset, to);
  });
}
