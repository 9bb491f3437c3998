#include "fs/medium_check.h"

#include "drivers/block/genhd.h"
#include "fs/checkpoint/shadow.h"
#include "fs/inode_io.h"
#include "fs/inode_table.h"
#include "fs/super.h"

static_assert(GEOMETRY_BLOCK == SUPER_BLOCK_NR);
static_assert(MOST_INODES_TO_CHECK == NR_INODE);

namespace {

bool is_on_disk(const m_inode& inode, dev_id disk) {
  return inode.i_hash_link.linked() && whole_disk(inode.i_dev) == disk;
}

// Whether the superblock has been read: also while the mount goes on.
bool has_layout(const super_block& sb) { return sb.s_magic != 0; }

bool same_layout(const super_block& sb, const d_super_block& disk) {
  return disk.s_ninodes == sb.s_ninodes && disk.s_nzones == sb.s_nzones &&
         disk.s_imap_blocks == sb.s_imap_blocks && disk.s_zmap_blocks == sb.s_zmap_blocks &&
         disk.s_firstdatazone == sb.s_firstdatazone && disk.s_magic == sb.s_magic;
}

}  // namespace

void for_each_mounted(dev_id disk, void* context, void (*visit)(void* context, dev_id dev)) {
  for (const super_block& sb : all_super_blocks())
    if (has_layout(sb) && whole_disk(sb.s_dev) == disk) visit(context, sb.s_dev);
}

resemblance compare_super(dev_id dev, std::span<const byte, BLOCK_SIZE> block) {
  const super_block* sb = get_super(dev);
  if (!sb) return resemblance::alike;  // not mounted any more: nothing to compare with
  if (!same_layout(*sb, *reinterpret_cast<const d_super_block*>(block.data())))
    return resemblance::other;
  // While the region holds the block, verify_set compares it: the stamp may not be there yet.
  if (!sb->s_stamp || checkpoint::shadowed(dev, SUPER_BLOCK_NR)) return resemblance::alike;
  const std::optional<d_stamp> found = stamp_in(block);
  if (!found) return resemblance::bare;
  if (!same_file_system(*found, *sb->s_stamp)) return resemblance::other;
  return same_mount(*found, *sb->s_stamp) ? resemblance::same : resemblance::changed;
}

bool is_metadata(dev_id dev, block_nr block) {
  const super_block* sb = get_super(dev);
  return sb && block < block_nr(sb->s_firstdatazone);
}

void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected)) {
  for (const m_inode& inode : all_inodes()) {
    if (!is_on_disk(inode, disk) || inode.i_dirt || inode.i_loading || !get_super(inode.i_dev))
      continue;
    const d_inode expected = to_disk(inode);
    const inode_place place = place_of(inode);
    visit(context, inode.i_dev, place.block, place.offset,
          std::as_bytes(std::span<const d_inode, 1>(&expected, 1)));
  }
}

void forget_zone_runs(dev_id disk) {
  for (m_inode& inode : all_inodes())
    if (whole_disk(inode.i_dev) == disk) inode.forget_zones();
}
