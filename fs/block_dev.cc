// block_read and block_write: a block device as one long file (the book's block_dev.c).
//
// The blocks are those of the buffer cache, by the same device number as a file system mounted
// there uses: both see the same bytes. A partition and its whole disk are two names; the cache does
// not know that they share blocks.
#include <algorithm>
#include <cstring>

#include "drivers/block/genhd.h"
#include "fs/buffer.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/file_dev.h"
#include "fs/inode.h"

namespace {

result<buffer_ref> read_device_block(dev_id dev, u32 block, u32 blocks) {
  std::array<block_nr, READ_AHEAD_BLOCKS - 1> ahead{};
  u32 count = 0;
  for (u32 next = block + 1; next < blocks && count < ahead.size(); ++next)
    ahead[count++] = block_nr{next};
  if (buffer_ref cached = get_hash_table(dev, block_nr{block}); cached && cached.head()->b_uptodate)
    return cached;
  return breada(dev, block_nr{block}, std::span<const block_nr>(ahead).first(count));
}

result<u32> read_piece(dev_id dev, u32 position, u32 size, std::span<byte> to) {
  const u32 offset = position % BLOCK_SIZE;
  const u32 count = std::min(static_cast<u32>(to.size()), BLOCK_SIZE - offset);
  const buffer_ref buffer = TRY(read_device_block(dev, position / BLOCK_SIZE, size / BLOCK_SIZE));
  std::memcpy(to.data(), buffer.data().data() + offset, count);
  return count;
}

result<u32> write_piece(operation& op, m_inode& inode, u32 position, std::span<const byte> from) {
  const u32 offset = position % BLOCK_SIZE;
  from = from.first(std::min(from.size(), size_t{BLOCK_SIZE - offset}));
  const u32 count = static_cast<u32>(from.size());
  const block_nr block{position / BLOCK_SIZE};
  const auto copy = [&](std::span<byte> to) { std::ranges::copy(from, to.begin()); };
  const bool whole = count == BLOCK_SIZE;
  buffer_ref buffer = TRY(whole ? getblk(inode.rdev(), block) : bread(inode.rdev(), block));
  op.about(ino_nr{}, inode.path());
  if (whole) {
    TRY(buffer.overwrite(op, copy));
  } else {
    TRY(buffer.modify(op, offset, count, copy));
  }
  return count;
}

// One operation's worth of a write.
result<u32> write_chunk(m_inode& inode, u32 position, std::span<const byte> from) {
  operation op = TRY(operation::begin(inode.rdev()));
  const u32 room = WRITE_CHUNK_BLOCKS * BLOCK_SIZE - position % BLOCK_SIZE;
  from = from.first(std::min(from.size(), size_t{room}));
  u32 done = 0;
  while (done < from.size()) {
    const result<u32> piece = write_piece(op, inode, position + done, from.subspan(done));
    if (!piece && done == 0) return piece;
    if (!piece) break;
    done += *piece;
  }
  return done;
}

// Calls move(done) for the next piece until `size` bytes are moved.
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
  const block_target target = TRY(resolve(dev));
  constexpr u32 most = (~u32{0} / BLOCK_SIZE) * SECTORS_PER_BLOCK;
  return std::min(target.sectors, most) / SECTORS_PER_BLOCK * BLOCK_SIZE;
}

result<u32> block_read(m_inode& inode, file& filp, std::span<byte> to) {
  const dev_id dev = inode.rdev();
  TRY(check_volume(dev));
  TRY(checkpoint::wait_live(dev));
  const u32 size = TRY(block_device_size(dev));
  const u32 start = filp.f_pos;
  if (start >= size) return 0;
  to = to.first(std::min(to.size(), size_t{size - start}));
  const u32 done = TRY(move_all(to.size(), [&](u32 moved) {
    return read_piece(dev, start + moved, size, to.subspan(moved));
  }));
  filp.f_pos = start + done;
  return done;
}

result<u32> block_write(m_inode& inode, file& filp, std::span<const byte> from) {
  const dev_id dev = inode.rdev();
  TRY(check_volume(dev));
  TRY(checkpoint::wait_live(dev));
  const u32 size = TRY(block_device_size(dev));
  const u32 start = filp.f_pos;
  if (start >= size && !from.empty()) return fail(error::enospc);
  from = from.first(std::min(from.size(), size_t{size - start}));
  const u32 done = TRY(move_all(from.size(), [&](u32 moved) {
    return write_chunk(inode, start + moved, from.subspan(moved));
  }));
  filp.f_pos = start + done;
  return done;
}
