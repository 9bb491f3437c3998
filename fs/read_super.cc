// Checks a superblock, puts it into the table and removes it.
#include "fs/read_super.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/shadow.h"
#include "fs/inode.h"
#include "fs/inode_table.h"
#include "fs/read_digest.h"
#include "hal/log.h"
#include "lib/format.h"

namespace {

constexpr u32 MAX_MAP_BLOCKS = 8;  // 2^16 bits

// Whether two devices share blocks: they are the same, or one is the whole disk of the other.
bool overlap(dev_id a, dev_id b) {
  return a == b || (whole_disk(a) == whole_disk(b) && (a == whole_disk(a) || b == whole_disk(b)));
}

// Makes a slot free and blank.
void release(super_block& sb) {
  std::destroy_at(&sb);
  std::construct_at(&sb);
}

result<super_block*> claim_slot(dev_id dev) {
  for (const super_block& sb : all_super_blocks())
    if (sb.s_dev && overlap(sb.s_dev, dev)) return fail(error::ebusy);
  const auto supers = all_super_blocks();
  const auto free = std::ranges::find(supers, dev_id{}, &super_block::s_dev);
  if (free == supers.end()) return fail(error::enfile);
  free->s_dev = dev;
  free->s_use = checkpoint::volume_use(dev);
  return &*free;
}

// Whether the numbers of a superblock agree with each other and with the size of the device.
bool is_sane(const super_block& sb, u32 device_blocks) {
  if (sb.s_magic != MINIX_MAGIC_14 && sb.s_magic != MINIX_MAGIC_30) return false;
  if (sb.s_ninodes == 0 || sb.s_nzones > device_blocks) return false;
  if (sb.s_firstdatazone >= sb.s_nzones) return false;
  if (sb.imap().value() + sb.metadata_blocks() > sb.s_firstdatazone) return false;
  const u32 imap_needed = blocks_for(sb.imap_bits(), BITS_PER_BLOCK);
  const u32 zmap_needed = blocks_for(sb.zmap_bits(), BITS_PER_BLOCK);
  return imap_needed <= sb.s_imap_blocks && zmap_needed <= sb.s_zmap_blocks &&
         imap_needed <= MAX_MAP_BLOCKS && zmap_needed <= MAX_MAP_BLOCKS;
}

result<void> read_from_disk(super_block& sb, u32 device_blocks) {
  if (device_blocks <= SUPER_BLOCK_NR.value()) return fail(error::einval);
  const buffer_ref buffer = TRY(bread(sb.s_dev, SUPER_BLOCK_NR));
  const auto& disk = buffer.as<d_super_block>();
  sb.s_ninodes = disk.s_ninodes;
  sb.s_nzones = disk.s_nzones;
  sb.s_imap_blocks = disk.s_imap_blocks;
  sb.s_zmap_blocks = disk.s_zmap_blocks;
  sb.s_firstdatazone = disk.s_firstdatazone;
  sb.s_magic = disk.s_magic;
  sb.s_state = disk.s_state;
  sb.s_stamp = stamp_in(buffer.data());
  if (disk.s_log_zone_size != 0 || !is_sane(sb, device_blocks)) return fail(error::einval);
  return {};
}

result<void> read_root(super_block& sb) {
  result<inode_ref> root = iget(sb.s_dev, ROOT_INO);
  // Damage of the root inode means a damaged file system: einval. Other errors (the stick is away)
  // are returned as they are.
  if (!root) return fail(sb.s_complaints ? error::einval : root.error());
  if (!(*root)->is_dir() || (*root)->i_size < 2 * sb.entry_size()) return fail(error::einval);
  sb.s_isup = std::move(*root);
  return {};
}

void warn_about_state(super_block& sb) {
  const std::string_view name = sb.s_device.data();
  const int length = static_cast<int>(name.size());
  if (const u32 lost = checkpoint::blocks_lost(sb.s_dev)) {
    printk("%.*s: %u blocks were given up while it was away: check it with fsck.minix\n", length,
           name.data(), lost);
    sb.s_state |= MINIX_ERROR_FS;
  } else if (!(sb.s_state & MINIX_VALID_FS) || (sb.s_state & MINIX_ERROR_FS)) {
    printk("%.*s: was not unmounted cleanly: check it with fsck.minix\n", length, name.data());
  }
}

result<void> write_state(super_block& sb, u16 state) {
  if (sb.s_rd_only) return {};
  operation op = TRY(operation::begin(sb.s_dev));
  buffer_ref buffer = TRY(bread(sb.s_dev, SUPER_BLOCK_NR));
  op.about_file_system();
  return buffer.modify(op, 0, sizeof(d_super_block), [&](std::span<byte> bytes) {
    reinterpret_cast<d_super_block*>(bytes.data())->s_state = state;
  });
}

result<void> write_stamp(super_block& sb) {
  const d_stamp stamp = next_stamp(sb.s_stamp);
  operation op = TRY(operation::begin(sb.s_dev));
  buffer_ref buffer = TRY(bread(sb.s_dev, SUPER_BLOCK_NR));
  op.about_file_system();
  TRY(buffer.modify(op, STAMP_OFFSET, sizeof(stamp), [&](std::span<byte> bytes) {
    std::memcpy(bytes.data(), &stamp, sizeof(stamp));
  }));
  sb.s_stamp = stamp;
  return {};
}

// At a mount for writing: VALID is cleared, and a stick that can be pulled gets its stamp, before
// anything else is written; what its metadata is before that is known. If the stamp does not become
// durable now, as the stick is pulled or refuses it, the region holds the block, and the stamp is
// no evidence until it is (compare_super).
result<void> take_possession(super_block& sb) {
  if (sb.s_rd_only || !checkpoint::can_be_pulled(sb.s_dev)) return clear_state(sb);
  TRY(read_digest(sb));
  {
    const operation both = TRY(operation::begin(sb.s_dev));
    TRY(clear_state(sb));
    TRY(write_stamp(sb));
  }
  static_cast<void>(flush_buffers(sb.s_dev));
  return {};
}

// What is in memory of the file systems on the disk may be older than what was forced. Without a
// sleep, so that a pull finds either none or all of them marked; also one that is being mounted.
void distrust_file_systems(dev_id disk) {
  for (super_block& sb : all_super_blocks()) {
    if (sb.s_magic == 0 || sb.s_rd_only || whole_disk(sb.s_dev) != disk) continue;
    distrust_inodes(sb.s_dev);
    sb.s_state |= MINIX_ERROR_FS;
  }
}

// Fills a claimed slot from the device.
result<void> fill_super(super_block& sb, bool rd_only) {
  TRY(checkpoint::require_stick(sb.s_dev));
  const block_target target = TRY(resolve(sb.s_dev));
  sb.s_rd_only = rd_only || target.device->write_protected;
  text_sink(sb.s_device).print("/dev/%s", disk_name(sb.s_dev).data());
  drop_clean_buffers(sb.s_dev);  // another name of the medium may have changed it since
  TRY(read_from_disk(sb, target.sectors / SECTORS_PER_BLOCK));
  TRY(read_root(sb));
  return {};
}

}  // namespace

result<super_block*> read_super(dev_id dev, bool rd_only) {
  super_block* sb = TRY(claim_slot(dev));
  if (auto filled = fill_super(*sb, rd_only); !filled) {
    put_super(*sb);
    return fail(filled.error());
  }
  warn_about_state(*sb);
  if (auto taken = take_possession(*sb); !taken) {
    static_cast<void>(restore_state(*sb));
    put_super(*sb);
    return fail(taken.error());
  }
  // The superblock has the mark now, and is durable unless the region still holds it or has given
  // it up.
  const bool is_held = checkpoint::shadowed(dev, SUPER_BLOCK_NR) || checkpoint::dead(dev);
  if (!sb->s_rd_only && !is_held) checkpoint::loss_is_marked(dev);
  return sb;
}

result<void> clear_state(super_block& sb) {
  return write_state(sb, static_cast<u16>(sb.s_state & ~MINIX_VALID_FS));
}

result<void> restore_state(super_block& sb) {
  if (sb.s_complaints || has_orphans(sb.s_dev))
    sb.s_state = static_cast<u16>((sb.s_state | MINIX_ERROR_FS) & ~MINIX_VALID_FS);
  // fsck finds an inode without names that is in use: no VALID while there is one.
  if (has_nameless_inodes(sb.s_dev)) return clear_state(sb);
  return write_state(sb, sb.s_state);
}

result<void> mark_forced(dev_id disk) {
  distrust_file_systems(disk);
  for (super_block& sb : all_super_blocks()) {
    if (!sb.s_ready || sb.s_rd_only || whole_disk(sb.s_dev) != disk) continue;
    const super_use over_the_sleep(sb);
    TRY(take_possession(sb));
  }
  return {};
}

void put_super(super_block& sb) {
  const dev_id dev = sb.s_dev;
  while (sb.s_users) sleep_on(sb.s_wait);
  sb.s_ready = false;
  invalidate_inodes(dev);
  if (sb.s_imount) sb.s_imount->i_mount = false;
  sb.s_imount = inode_ref();
  sb.s_isup = inode_ref();
  const checkpoint::volume_use ends_last = std::move(sb.s_use);
  release(sb);
}
