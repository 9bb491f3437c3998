// block_read and block_write: a block device as one long file (the book's block_dev.c).
//
// The blocks are buffers of the cache, under the same device number that a file system mounted on
// the device uses: both see the same bytes. A partition and its whole disk have two device numbers;
// the cache keeps their blocks apart, although they share them on the disk.
#include <algorithm>
#include <cstring>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/file_dev.h"
#include "fs/inode.h"

namespace {

// Starts to read the blocks of `range`, up to the first one whose read cannot be started.
void ask_for(dev_id dev, read_ahead& ahead, block_range range) {
  u32 next = range.first;
  while (next < range.end && start_read(dev, block_nr{next})) ++next;
  ahead.asked(next);
}

// The buffer of one block; the call reads `wanted` blocks from it on.
result<buffer_ref> read_device_block(dev_id dev, read_ahead& ahead, u32 block, u32 wanted) {
  if (ahead.comes_to(block)) ask_for(dev, ahead, ahead.next_window(buffer_total()));
  if (buffer_ref cached = get_hash_table(dev, block_nr{block}); cached && cached.head()->b_uptodate)
    return cached;
  ask_for(dev, ahead, ahead.missed(block, wanted, buffer_total()));
  return bread(dev, block_nr{block});
}

result<u32> read_in_one_block(dev_id dev, read_ahead& ahead, u32 position, std::span<byte> to) {
  const u32 offset = position % BLOCK_SIZE;
  const u32 size = static_cast<u32>(to.size());
  const u32 count = std::min(size, BLOCK_SIZE - offset);
  const u32 wanted = (offset + size + BLOCK_SIZE - 1) / BLOCK_SIZE;
  const buffer_ref buffer = TRY(read_device_block(dev, ahead, position / BLOCK_SIZE, wanted));
  std::memcpy(to.data(), buffer.data().data() + offset, count);
  return count;
}

result<u32> write_in_one_block(operation& op, m_inode& inode, u32 position,
                               std::span<const byte> from) {
  const u32 offset = position % BLOCK_SIZE;
  from = from.first(std::min(from.size(), size_t{BLOCK_SIZE - offset}));
  const u32 count = static_cast<u32>(from.size());
  const block_nr block{position / BLOCK_SIZE};
  const auto copy = [&](std::span<byte> to) { std::ranges::copy(from, to.begin()); };
  const bool whole = count == BLOCK_SIZE;
  buffer_ref buffer = TRY(whole ? getblk(inode.rdev(), block) : bread(inode.rdev(), block));
  op.about_file_system();
  if (whole) {
    TRY(buffer.overwrite(op, copy));
  } else {
    TRY(buffer.modify(op, offset, count, copy));
  }
  return count;
}

// Writes the first part of `from`, as much as one operation covers; returns how many bytes.
result<u32> write_in_one_operation(m_inode& inode, u32 position, std::span<const byte> from) {
  operation op = TRY(operation::begin(inode.rdev()));
  const u32 room = WRITE_CHUNK_BLOCKS * BLOCK_SIZE - position % BLOCK_SIZE;
  from = from.first(std::min(from.size(), size_t{room}));
  u32 done = 0;
  while (done < from.size()) {
    const result<u32> piece = write_in_one_block(op, inode, position + done, from.subspan(done));
    if (!piece && done == 0) return piece;
    if (!piece) break;
    done += *piece;
    op.end_step();
  }
  return done;
}

// Calls move(done), which moves the next piece and returns its bytes, until `size` bytes are moved.
// Returns the bytes moved; an error only when it comes before the first byte.
template <class Move>
result<u32> move_all(size_t size, Move&& move) {
  u32 done = 0;
  while (done < size) {
    const result<u32> piece = move(done);
    if (!piece && done == 0) return piece;
    if (!piece) break;
    done += *piece;
  }
  return done;
}

result<void> check_volume(dev_id dev) {
  return checkpoint::dead(dev) ? result<void>(fail(error::eio)) : result<void>();
}

}  // namespace

result<u32> block_device_size(dev_id dev) {
  constexpr u32 most = (~u32{0} / BLOCK_SIZE) * SECTORS_PER_BLOCK;
  return std::min(TRY(sectors_of(dev)), most) / SECTORS_PER_BLOCK * BLOCK_SIZE;
}

result<u32> block_read(m_inode& inode, file& filp, std::span<byte> to) {
  const dev_id dev = inode.rdev();
  TRY(check_volume(dev));
  const u32 size = TRY(block_device_size(dev));
  const u32 start = filp.f_pos;
  if (start >= size) return 0;
  to = to.first(std::min(to.size(), size_t{size - start}));
  const u32 done = TRY(move_all(to.size(), [&](u32 moved) {
    return read_in_one_block(dev, filp.f_ahead, start + moved, to.subspan(moved));
  }));
  filp.f_pos = start + done;
  return done;
}

result<u32> block_write(m_inode& inode, file& filp, std::span<const byte> from) {
  const dev_id dev = inode.rdev();
  TRY(check_volume(dev));
  TRY(checkpoint::require_stick(dev));
  const u32 size = TRY(block_device_size(dev));
  const u32 start = filp.f_pos;
  if (start >= size && !from.empty()) return fail(error::enospc);
  from = from.first(std::min(from.size(), size_t{size - start}));
  const u32 done = TRY(move_all(from.size(), [&](u32 moved) {
    return write_in_one_operation(inode, start + moved, from.subspan(moved));
  }));
  filp.f_pos = start + done;
  return done;
}
