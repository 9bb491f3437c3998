#include "fs/medium_check.h"

#include "drivers/block/genhd.h"
#include "fs/inode_io.h"
#include "fs/inode_table.h"
#include "fs/super.h"

static_assert(GEOMETRY_BLOCK == SUPER_BLOCK_NR);
static_assert(MOST_INODES_TO_CHECK == NR_INODE);

namespace {

bool is_on_disk(const m_inode& inode, dev_id disk) {
  return inode.i_hash_link.linked() && whole_disk(inode.i_dev) == disk;
}

}  // namespace

void for_each_mounted(dev_id disk, void* context, void (*visit)(void* context, dev_id dev)) {
  for (const super_block& sb : all_super_blocks())
    if (sb.s_ready && whole_disk(sb.s_dev) == disk) visit(context, sb.s_dev);
}

bool same_geometry(dev_id dev, std::span<const byte, BLOCK_SIZE> block) {
  const super_block* sb = get_super(dev);
  if (!sb) return true;  // unmounted meanwhile: there is nothing to compare with
  const auto& disk = *reinterpret_cast<const d_super_block*>(block.data());
  return disk.s_ninodes == sb->s_ninodes && disk.s_nzones == sb->s_nzones &&
         disk.s_imap_blocks == sb->s_imap_blocks && disk.s_zmap_blocks == sb->s_zmap_blocks &&
         disk.s_firstdatazone == sb->s_firstdatazone && disk.s_magic == sb->s_magic;
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
