#include "tests/fs/settled.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode.h"
#include "fs/inode_table.h"
#include "fs/super.h"
#include "tests/sim/at_rest.h"
#include "tests/sim/audit.h"
#include "tests/sim/medium.h"

namespace sim {
namespace {

u32 damage_scopes = 0;

constexpr u32 zones_per_block = BLOCK_SIZE / 2;
constexpr u32 bits_per_block = BLOCK_SIZE * 8;

// The block in the cache; null when it is not there.
const byte* in_cache(dev_id dev, u32 block) {
  const buffer_head* bh = find_buffer(dev, block_nr{block});
  return bh && bh->b_uptodate ? bh->b_data : nullptr;
}

u16 u16_at(const byte* bytes, size_t offset) {
  u16 value;
  std::memcpy(&value, bytes + offset, sizeof value);
  return value;
}

// Whether what is in memory can be compared: a volume that is away is verified when it is back.
bool is_settled(dev_id dev) {
  return resolve(dev) && !checkpoint::absent(dev) && !checkpoint::dead(dev);
}

bool is_on_disk(const m_inode& inode) {
  if (!inode.i_hash_link.linked() || inode.i_loading || inode.i_gone) return false;
  const super_block* sb = get_super(inode.i_dev);
  return sb && sb->s_ready && is_settled(inode.i_dev);
}

std::string name_of(const m_inode& inode) {
  return "inode " + std::to_string(inode.i_num.value()) + " of " + disk_name(inode.i_dev).data() +
         " \"" + inode.i_path.text.data() + "\"";
}

// --- inodes and their bytes

u32 table_block_of(const m_inode& inode) {
  const super_block& sb = *get_super(inode.i_dev);
  return 2u + sb.s_imap_blocks + sb.s_zmap_blocks + (inode.i_num.value() - 1u) / 32;
}

// Which field of a clean inode differs from the block that stores it; empty when none does.
std::string difference(const m_inode& inode, const byte* block) {
  const byte* stored = block + (inode.i_num.value() - 1u) % 32 * 32;
  u32 size, mtime;
  std::memcpy(&size, stored + 4, sizeof size);
  std::memcpy(&mtime, stored + 8, sizeof mtime);
  std::ostringstream text;
  const auto compare = [&](const char* field, u32 in_memory, u32 below) {
    if (in_memory != below)
      text << " " << field << " " << in_memory << " (stored: " << below << ")";
  };
  compare("mode", inode.i_mode, u16_at(stored, 0));
  compare("uid", inode.i_uid, u16_at(stored, 2));
  compare("size", inode.i_size, size);
  compare("mtime", inode.i_mtime, mtime);
  compare("gid", inode.i_gid, static_cast<u8>(stored[12]));
  compare("links", inode.i_nlinks, static_cast<u8>(stored[13]));
  for (u32 i = 0; i < NR_ZONES; ++i) compare("zone", inode.i_zone[i], u16_at(stored, 14 + 2 * i));
  return text.str();
}

std::string clean_inode_problem(const m_inode& inode) {
  if (inode.i_dirt) return {};
  const byte* block = in_cache(inode.i_dev, table_block_of(inode));
  const std::string different = block ? difference(inode, block) : std::string();
  return different.empty() ? different : name_of(inode) + " is clean and has" + different;
}

// --- what is remembered

// The zone that stores block `file_block` of a file, by a walk of our own; nothing when a block on
// the way is not in the cache, or none is there.
std::optional<u32> stored_zone(const m_inode& inode, u32 file_block);

std::optional<u32> table_of(const m_inode& inode, u32 file_block) {
  const u32 behind = file_block - DIRECT_ZONES;
  if (behind < zones_per_block) return inode.i_zone[DIRECT_ZONES];
  const u32 root = inode.i_zone[DIRECT_ZONES + 1];
  const byte* entries = root ? in_cache(inode.i_dev, root) : nullptr;
  if (!entries) return {};
  return u16_at(entries, (behind - zones_per_block) / zones_per_block * 2);
}

std::optional<u32> stored_zone(const m_inode& inode, u32 file_block) {
  if (file_block < DIRECT_ZONES) return inode.i_zone[file_block];
  const std::optional<u32> table = table_of(inode, file_block);
  const byte* entries = table && *table ? in_cache(inode.i_dev, *table) : nullptr;
  if (!entries) return {};
  return u16_at(entries, (file_block - DIRECT_ZONES) % zones_per_block * 2);
}

std::string zones_problem(const m_inode& inode) {
  if (!inode.has_zones() || damage_scopes) return {};
  const zone_run& run = inode.i_run;
  for (u32 i = 0; i < run.count; ++i) {
    const std::optional<u32> zone = stored_zone(inode, run.file_block + i);
    if (zone && *zone != run.first.value() + i)
      return name_of(inode) + " remembers a wrong zone of block " +
             std::to_string(run.file_block + i);
  }
  const zone_table& last = inode.i_table;
  if (last.number == block_nr{}) return {};
  const std::optional<u32> table = table_of(inode, last.file_block);
  if (table && *table != last.number.value())
    return name_of(inode) + " remembers a wrong indirect block";
  return {};
}

std::string entries_problem(const m_inode& inode) {
  if (!inode.is_dir() || inode.i_lock || damage_scopes) return {};
  const u32 entry = get_super(inode.i_dev)->s_magic == 0x138F ? 32 : 16;
  const u32 end = std::min(inode.i_no_free_before, inode.i_size);
  for (u32 at = 0; at + entry <= end; at += entry) {
    const std::optional<u32> zone = stored_zone(inode, at / BLOCK_SIZE);
    const byte* block = zone && *zone ? in_cache(inode.i_dev, *zone) : nullptr;
    if (block && u16_at(block, at % BLOCK_SIZE) == 0)
      return name_of(inode) + " has a free entry where it says there is none";
  }
  return {};
}

// No bit below the hint of a bitmap is free; bit 0 means nothing.
std::string hint_problem(const super_block& sb, u32 first_block, u32 hint, const char* map) {
  for (u32 bit = 1; bit < hint; ++bit) {
    const byte* block = in_cache(sb.s_dev, first_block + bit / bits_per_block);
    if (!block) return {};
    const u32 within = bit % bits_per_block;
    if ((static_cast<u8>(block[within / 8]) >> within % 8 & 1) == 0)
      return std::string("the hint of the ") + map + " bitmap of " + disk_name(sb.s_dev).data() +
             " is above a free bit, " + std::to_string(bit);
  }
  return {};
}

std::string hints_problem(const super_block& sb) {
  if (!sb.s_ready || !is_settled(sb.s_dev)) return {};
  const std::string problem = hint_problem(sb, 2, sb.s_imap_hint, "inode");
  return problem.empty() ? hint_problem(sb, 2u + sb.s_imap_blocks, sb.s_zmap_hint, "zone")
                         : problem;
}

class settled_memory final : public at_rest {
 public:
  settled_memory() : at_rest("inodes, zone numbers and hints in memory") {}
  std::string problem() override {
    if (buffer_total() == 0) return {};  // this world has no file system
    for (const m_inode& inode : all_inodes()) {
      if (!is_on_disk(inode)) continue;
      for (auto* look : {&clean_inode_problem, &zones_problem, &entries_problem})
        if (std::string problem = look(inode); !problem.empty()) return problem;
    }
    for (const super_block& sb : all_super_blocks())
      if (std::string problem = hints_problem(sb); !problem.empty()) return problem;
    return {};
  }
};
settled_memory memory_at_rest;

// --- buffers and their blocks on the medium

bool equals_medium(const buffer_head& bh, const medium& below, u32 first_sector) {
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) {
    const medium::sector stored = below.newest(first_sector + i);
    if (std::memcmp(stored.data(), bh.b_data + i * SECTOR_SIZE, SECTOR_SIZE) != 0) return false;
  }
  return true;
}

void look_at_buffer(const buffer_head& bh) {
  if (damage_scopes || !bh.b_dev || !bh.b_uptodate || bh.b_dirt || bh.b_lock ||
      !is_settled(bh.b_dev))
    return;
  const result<block_target> target = resolve(bh.b_dev);
  const medium* below = medium::plugged_as(target->device->identity);
  if (!below) return;  // the RAM disk
  const u32 sector = target->first.value() + bh.b_blocknr.value() * SECTORS_PER_BLOCK;
  if (!equals_medium(bh, *below, sector))
    left_behind("a clean buffer that differs from block " + std::to_string(bh.b_blocknr.value()) +
                " of " + disk_name(bh.b_dev).data());
}

}  // namespace

damaged_disks::damaged_disks() { ++damage_scopes; }
damaged_disks::~damaged_disks() { --damage_scopes; }

void look_at_settled_memory() {
  for (m_inode& inode : all_inodes())  // so that every inode can be compared
    if (is_on_disk(inode)) static_cast<void>(bread(inode.i_dev, block_nr{table_block_of(inode)}));
  if (const std::string problem = memory_at_rest.problem(); !problem.empty()) left_behind(problem);
  for (u32 i = 0; i < buffer_total(); ++i) look_at_buffer(buffer_at(i));
}

}  // namespace sim
