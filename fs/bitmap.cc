// The two bitmaps: which zones and which inodes are in use (the book's bitmap.c).
//
// modify may sleep before its edit, so the edit that sets a free bit tests the bit once more (0.11
// could give one zone to two writers). A bitmap that contradicts the files means a damaged disk:
// this is reported on the console, and the kernel goes on.
#include "fs/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "fs/buffer/buffer.h"
#include "fs/inode.h"
#include "fs/inode_io.h"
#include "fs/inode_table.h"
#include "fs/super.h"
#include "hal/clock.h"
#include "hal/log.h"

namespace {

// One of the two maps: its first block, how many bits are valid, and its hint: no lower bit is
// free.
struct bit_map {
  dev_id dev;
  block_nr first;
  u32 bits;
  u32& hint;
};

bit_map inode_map(super_block& sb) { return {sb.s_dev, sb.imap(), sb.imap_bits(), sb.s_imap_hint}; }
bit_map zone_map(super_block& sb) { return {sb.s_dev, sb.zmap(), sb.zmap_bits(), sb.s_zmap_hint}; }

constexpr byte mask_of(u32 bit) { return byte{1} << (bit % 8); }

// The first clear bit of [from, to) within a block; `to` if all are set.
u32 find_clear(std::span<const byte, BLOCK_SIZE> block, u32 from, u32 to) {
  for (u32 bit = from; bit < to;) {
    const u32 zeros = ~std::to_integer<u32>(block[bit / 8]) & 0xFFu;
    const u32 candidates = zeros >> (bit % 8);
    if (candidates) return std::min(to, bit + static_cast<u32>(std::countr_zero(candidates)));
    bit = (bit / 8 + 1) * 8;
  }
  return to;
}

// Sets the first free bit of the block that the map's hint points into, and returns it. Nothing if
// the block has none, or if a lower block got one during a sleep: the hint points elsewhere then.
// The hint rises only in the step in which the bits below it were seen to be set: a bit that is
// cleared during a sleep lowers it, and is found by a later search.
// Before the change, prepare(bit) reads what else the bit needs.
template <class Prepare>
result<std::optional<u32>> take_bit_at_hint(operation& op, const bit_map& map, Prepare prepare) {
  const u32 base = map.hint / BITS_PER_BLOCK * BITS_PER_BLOCK;
  const u32 end = std::min(map.bits - base, BITS_PER_BLOCK);
  buffer_ref buffer = TRY(bread(map.dev, map.first + base / BITS_PER_BLOCK));
  while (map.hint >= base) {
    const u32 bit = find_clear(buffer.data(), map.hint - base, end);
    map.hint = base + bit;
    if (bit == end) break;
    TRY(prepare(base + bit));
    bool won = false;  // false: another task set the bit during a sleep
    op.about_file_system();
    TRY(buffer.modify(op, bit / 8, 1, [&](std::span<byte> at) {
      won = (at[0] & mask_of(bit)) == byte{};
      at[0] |= mask_of(bit);
    }));
    if (won) return base + bit;
  }
  return std::nullopt;
}

// Finds the first clear bit of a map from the hint on, never bit 0, and sets it. Errors: enospc,
// eio.
template <class Prepare>
result<u32> allocate_bit(operation& op, const bit_map& map, Prepare prepare) {
  while (map.hint < map.bits)
    if (const std::optional<u32> bit = TRY(take_bit_at_hint(op, map, prepare))) return *bit;
  return fail(error::enospc);
}

// Clears a bit; false if it was clear already.
result<bool> free_bit(operation& op, const bit_map& map, u32 bit) {
  buffer_ref buffer = TRY(bread(map.dev, map.first + bit / BITS_PER_BLOCK));
  const u32 within = bit % BITS_PER_BLOCK;
  bool was_set = false;
  op.about_file_system();
  TRY(buffer.modify(op, within / 8, 1, [&](std::span<byte> at) {
    was_set = (at[0] & mask_of(within)) != byte{};
    at[0] &= ~mask_of(within);
  }));
  map.hint = std::min(map.hint, bit);
  return was_set;
}

void free_number(operation& op, super_block& sb, u32 number) {
  const result<bool> was_set = free_bit(op, inode_map(sb), number);
  if (!was_set || !*was_set) complain(sb, "freeing inode number", number);
}

// Reads the block in which a bit is.
result<void> read_bit(const bit_map& map, u32 bit) {
  TRY(bread(map.dev, map.first + bit / BITS_PER_BLOCK));
  return {};
}

result<u32> count_clear(const bit_map& map) {
  u32 clear = 0;
  for (u32 base = 0; base < map.bits; base += BITS_PER_BLOCK) {
    const buffer_ref buffer = TRY(bread(map.dev, map.first + base / BITS_PER_BLOCK));
    const u32 end = std::min(map.bits - base, BITS_PER_BLOCK);
    for (u32 bit = 0; bit < end; ++bit)
      if ((buffer.data()[bit / 8] & mask_of(bit)) == byte{}) ++clear;
  }
  return clear;
}

result<void> fill_block(operation& op, m_inode& owner, block_nr block,
                        const block_content& content) {
  buffer_ref buffer = TRY(getblk(owner.i_dev, block));
  op.about(owner.i_num, owner.i_path);
  return buffer.overwrite(op, [&](std::span<byte> bytes) {
    const std::span<const byte> given = content.bytes;
    if (given.size() < bytes.size()) std::memset(bytes.data(), 0, bytes.size());
    if (!given.empty()) std::memcpy(bytes.data() + content.offset, given.data(), given.size());
  });
}

}  // namespace

result<block_nr> new_block(operation& op, super_block& sb, m_inode& owner,
                           const block_content& content) {
  const bit_map map = zone_map(sb);
  const u32 bit = TRY(allocate_bit(op, map, [](u32) { return result<void>(); }));
  const block_nr block{bit + sb.s_firstdatazone - 1u};
  if (auto filled = fill_block(op, owner, block, content); !filled) {
    free_block(op, sb, block);
    return fail(filled.error());
  }
  return block;
}

void free_block(operation& op, super_block& sb, block_nr block) {
  if (!sb.is_data_zone(block.value()))
    return complain(sb, "freeing a zone out of range", block.value());
  // Before the bit is cleared: from then on another writer may own the block.
  forget_block(sb.s_dev, block);
  const result<bool> was_set = free_bit(op, zone_map(sb), block.value() - sb.s_firstdatazone + 1u);
  if (!was_set || !*was_set) complain(sb, "zone was free already", block.value());
}

result<void> read_zone_bit(super_block& sb, block_nr block) {
  if (!sb.is_data_zone(block.value())) return {};
  return read_bit(zone_map(sb), block.value() - sb.s_firstdatazone + 1u);
}

result<void> read_inode_bit(const m_inode& inode) {
  return read_bit(inode_map(super_of(inode)), inode.i_num.value());
}

result<inode_ref> new_inode(operation& op, super_block& sb, u16 mode, u16 uid, u16 gid) {
  const bit_map map = inode_map(sb);
  const auto reach = [&](u32 bit) { return reach_inode(sb, ino_nr(static_cast<u16>(bit))); };
  // A number that is in use although its bit was clear keeps the bit set; the next one is tried.
  for (;;) {
    const u32 number = TRY(allocate_bit(op, map, reach));
    const ino_nr ino{static_cast<u16>(number)};
    result<inode_ref> inode = adopt_inode(sb.s_dev, ino);
    if (!inode && inode.error() == error::eio) {
      complain(sb, "inode in use was free", number);
      continue;
    }
    if (!inode) {
      free_number(op, sb, number);
      return fail(inode.error());
    }
    m_inode& fresh = **inode;
    fresh.i_mode = mode;
    fresh.i_uid = uid;
    fresh.i_gid = static_cast<u8>(gid);
    fresh.i_nlinks = 1;
    fresh.i_mtime = current_time();
    fresh.i_dirt = true;
    return inode;
  }
}

// It has no links: i_nlinks is 0.
void free_inode(operation& op, m_inode& inode) {
  super_block& sb = super_of(inode);
  op.begin_step();
  inode.i_mode = 0;
  inode.i_size = 0;
  inode.i_mtime = 0;
  inode.i_uid = inode.i_gid = 0;
  inode.i_zone.fill(0);
  const result<void> written = write_inode(op, inode);
  if (!written) complain(sb, "freeing inode", inode.i_num.value());
  free_number(op, sb, inode.i_num.value());
}

result<free_counts> count_free(super_block& sb) {
  const u32 zones = TRY(count_clear(zone_map(sb)));
  const u32 inodes = TRY(count_clear(inode_map(sb)));
  return free_counts{zones, inodes};
}
