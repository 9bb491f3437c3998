#include "fs/read_digest.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/read_ahead.h"

namespace {

constexpr u32 METADATA_AHEAD = 64;

// Which blocks of the digest are read: the bitmaps, and the blocks of the inode table that have an
// inode in use. The inode bitmap comes first: it tells the rest.
class wanted_blocks {
 public:
  explicit wanted_blocks(const super_block& sb)
      : imap_blocks_(sb.s_imap_blocks), table_(sb.s_imap_blocks + sb.s_zmap_blocks) {}

  bool has(u32 index) const {
    return index < table_ || (index - table_ < used_.size() && used_[index - table_]);
  }
  // The block of this index has been read. Inode n has bit n, and the first inode of the table is
  // 1: so the first bit of each word stands for the last inode of the block before.
  void learn_bits(u32 index, std::span<const byte, BLOCK_SIZE> content) {
    for (u32 i = 0; index < imap_blocks_ && i < WORDS; ++i) {
      u32 inodes = 0;
      std::memcpy(&inodes, content.data() + i * sizeof(inodes), sizeof(inodes));
      if (inodes & 1 && index + i > 0) use(index * WORDS + i - 1);
      if (inodes & ~1u) use(index * WORDS + i);
    }
  }
  // The bits of this block are not known.
  void use_all(u32 index) {
    for (u32 i = 0; index < imap_blocks_ && i < WORDS; ++i) use(index * WORDS + i);
  }

 private:
  static constexpr u32 WORDS = BLOCK_SIZE / sizeof(u32);
  static_assert(INODES_PER_BLOCK == 8 * sizeof(u32));

  void use(u32 table_block) {
    if (table_block < used_.size()) used_[table_block] = true;
  }

  u32 imap_blocks_, table_;
  std::array<bool, 65535 / INODES_PER_BLOCK + 1> used_{};
};

class digest_reader {
 public:
  explicit digest_reader(super_block& sb) : sb_(sb), wanted_(sb) {}

  // Reads the wanted blocks of [from, to); reads ahead, and not behind `to`.
  result<void> read(u32 from, u32 to) {
    for (u32 i = from, ahead = from; i < to && failures_ < MOST_FAILURES; ++i) {
      if (!wanted_.has(i)) continue;
      if (i >= ahead) ahead = start_reads(i, to);
      TRY(read_one(i));
    }
    return {};
  }

 private:
  static constexpr u32 MOST_FAILURES = 4;

  // Returns the index behind the blocks that were started. A stick that is slow to answer leaves
  // the rest of the cache to the other disks.
  u32 start_reads(u32 from, u32 to) const {
    u32 share = std::min(METADATA_AHEAD, buffer_total() / read_ahead::CACHE_SHARE);
    for (; from < to && share > 0; ++from)
      if (wanted_.has(from))
        share = start_read(sb_.s_dev, sb_.s_digest.block(from)) ? share - 1 : 0;
    return from;
  }

  result<void> read_one(u32 index) {
    if (const auto buffer = bread(sb_.s_dev, sb_.s_digest.block(index))) {
      checkpoint::learn_read(sb_.s_digest, index, buffer->data());
      // Of a bitmap that is being written nothing is known: nothing follows from its bits.
      if (sb_.s_digest.is_known(index))
        wanted_.learn_bits(index, buffer->data());
      else
        wanted_.use_all(index);
    } else if (checkpoint::absent(sb_.s_dev)) {
      return fail(buffer.error());
    } else {
      ++failures_;
      wanted_.use_all(index);
    }
    return {};
  }

  super_block& sb_;
  wanted_blocks wanted_;
  u32 failures_ = 0;
};

}  // namespace

result<void> read_digest(super_block& sb) {
  if (!checkpoint::begin_digest(sb.s_digest, sb.s_dev, sb.imap(), sb.metadata_blocks())) return {};
  const u32 bitmaps = std::min(sb.s_digest.blocks(), u32{sb.s_imap_blocks} + sb.s_zmap_blocks);
  digest_reader reader(sb);
  TRY(reader.read(0, bitmaps));
  return reader.read(bitmaps, sb.s_digest.blocks());
}
