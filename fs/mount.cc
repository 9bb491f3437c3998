// sys_mount, sys_umount and the root file system (in the book's super.c).
//
// umount of a volume whose stick is away waits for the stick, interruptibly; with force it gives
// the unwritten blocks up instead. A volume that was given up can always be unmounted: files that
// are still open on it answer eio.
#include <algorithm>

#include "drivers/block/genhd.h"
#include "drivers/char/info_device.h"
#include "fs/bitmap.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/operation.h"
#include "fs/inode.h"
#include "fs/inode_lock.h"
#include "fs/inode_table.h"
#include "fs/namei.h"
#include "fs/read_super.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "lib/guard.h"

namespace {

dev_id root_dev;

void print_mounts(text_sink& out) {
  for (const super_block& sb : all_super_blocks()) {
    if (!sb.s_ready) continue;
    const std::string_view directory = sb.s_imount ? sb.s_imount->path() : "/";
    out.print("%s %.*s minix %s\n", sb.s_device.data(), static_cast<int>(directory.size()),
              directory.data(), sb.s_rd_only ? "ro" : "rw");
  }
}

result<dev_id> block_device_of(fs_context& ctx, std::string_view path) {
  const inode_ref inode = TRY(namei(ctx, path));
  if (!inode->is_block()) return fail(error::enotblk);
  return inode->rdev();
}

// The mounted file system that `path` names: by its block device or by its root directory.
result<super_block*> mounted_at(fs_context& ctx, std::string_view path) {
  const inode_ref inode = TRY(namei(ctx, path));
  super_block* sb = get_super(inode->is_block() ? inode->rdev() : inode->i_dev);
  const bool is_root = sb && (inode->is_block() || sb->s_isup.get() == inode.get());
  if (!is_root || !sb->s_ready) return fail(error::einval);
  return sb;
}

// Whether another file system is mounted on a directory of this one.
bool carries_mounts(const super_block& sb) {
  return std::ranges::any_of(all_super_blocks(), [&](const super_block& other) {
    return other.s_imount && other.s_imount->i_dev == sb.s_dev;
  });
}

// Writes s_state as a file system has it that is not mounted. If that does not become durable, as
// the stick is pulled or refuses it, s_state is taken back: the file system stays mounted, and the
// operation can change it without the stick too.
result<void> write_state_durably(super_block& sb) {
  if (sb.s_rd_only) return {};
  const operation op = TRY(operation::begin(sb.s_dev));
  TRY(restore_state(sb));
  const result<void> flushed = flush_buffers(sb.s_dev);
  if (!flushed) static_cast<void>(clear_state(sb));
  return flushed;
}

// Makes a volume that is plugged in durable: first its blocks, then s_state in the superblock, so
// that VALID is never on the disk before the blocks.
result<void> write_out(super_block& sb) {
  TRY(sync_dev(sb.s_dev));
  TRY(write_state_durably(sb));
  return sync_dev(sb.s_dev);
}

// Whether umount need not care for open files and writes: the volume was given up, or its stick is
// away and `force` is set.
bool is_abandoned(dev_id dev, bool force) {
  return checkpoint::dead(dev) || (force && checkpoint::absent(dev));
}

// What umount does about a stick that is away with blocks waiting for it.
enum class when_missed : u8 { wait, give_up, fail };

// Returns when the volume may be removed from memory: all is durable, or it was given up. A stick
// that is pulled meanwhile is missed again. Errors: eintr, ebusy, eio, enodev (when_missed::fail);
// after eio of a volume that was given up it may be removed too.
result<void> settle_volume(super_block& sb, when_missed how) {
  const dev_id dev = sb.s_dev;
  const bool force = how == when_missed::give_up;
  for (;;) {
    if (checkpoint::absent(dev)) {
      if (how == when_missed::fail) return fail(error::enodev);
      const result<void> settled = checkpoint::settle(dev, force);
      if (!settled && settled.error() == error::eintr) return settled;
    }
    if (is_abandoned(dev, force)) return force ? result<void>{} : fail(error::eio);
    if (inodes_busy(dev)) return fail(error::ebusy);
    if (checkpoint::absent(dev)) return {};  // all is durable; on the stick, VALID stays clear
    const result<void> synced = sync_dev(dev);
    // Another task's sync may have begun to delete a file that was an orphan.
    if (synced && inodes_busy(dev)) return fail(error::ebusy);
    const result<void> written = synced ? write_out(sb) : synced;
    if (written || !checkpoint::absent(dev)) return written;
  }
}

// What a file system has left for sync to tell is over with it. The note is one for the disk: it is
// kept for other file systems there.
void forget_errors_of(dev_id dev) {
  const auto is_beside = [=](const super_block& sb) {
    return sb.s_dev && whole_disk(sb.s_dev) == whole_disk(dev);
  };
  if (std::ranges::none_of(all_super_blocks(), is_beside)) static_cast<void>(take_write_error(dev));
}

// Settles the volume and removes the file system from memory. If settling fails and the volume was
// not given up, the file system stays mounted, and VALID is cleared again.
result<void> settle_and_remove(super_block& sb, when_missed how) {
  const dev_id dev = sb.s_dev;
  const bool force = how == when_missed::give_up;
  const result<void> settled = settle_volume(sb, how);
  const bool forced = force && !settled && is_of_the_medium(settled.error());
  const bool stays = !settled && !forced && !is_abandoned(dev, force);
  if (stays) {
    if (!checkpoint::absent(dev)) static_cast<void>(clear_state(sb));
    return settled;
  }
  put_super(sb);
  drop_clean_buffers(dev);
  forget_errors_of(dev);
  return settled;
}

// Paths lead from the directory into the file system from now on. The lock: a task that removes or
// replaces the directory holds it from its look at i_mount to the end. Errors: ebusy (a file system
// is mounted there, or it is the root of one), enoent (removed), eio, eintr.
result<void> put_on(super_block& sb, m_inode& dir) {
  const inode_lock lock = TRY(inode_lock::take(dir));
  if (dir.i_mount || dir.i_num == ROOT_INO) return fail(error::ebusy);
  if (dir.i_nlinks == 0) return fail(error::enoent);
  set_path(*sb.s_isup, dir.path(), "");
  dir.i_mount = true;
  sb.s_imount = idup(dir);
  sb.s_ready = true;
  return {};
}

result<void> umount(super_block& sb, when_missed how) {
  if (sb.s_dev == root_dev || sb.s_leaving) return fail(error::ebusy);
  if (carries_mounts(sb)) return fail(error::ebusy);
  sb.s_leaving = true;
  const dev_id dev = sb.s_dev;
  const result<void> outcome = settle_and_remove(sb, how);
  if (sb.s_dev == dev) sb.s_leaving = false;  // it stayed
  return outcome;
}

}  // namespace

void fs_init() { register_info(abi::info_file::mounts, print_mounts); }

result<fs_context> mount_root(dev_id dev) {
  super_block* sb = TRY(read_super(dev, false));
  root_dev = dev;
  sb->s_ready = true;
  set_path(*sb->s_isup, "/", "");
  if (const auto free = count_free(*sb); free)
    printk("root on %s: %u of %u blocks free, %u of %u inodes free\n", sb->s_device.data(),
           free->zones, sb->s_nzones, free->inodes, sb->s_ninodes);
  fs_context ctx;
  ctx.root = sb->s_isup.copy();
  ctx.pwd = sb->s_isup.copy();
  return ctx;
}

namespace {
result<void> mount_path_now(fs_context& ctx, std::string_view device, std::string_view directory,
                            u32 flags) {
  if (ctx.euid != 0) return fail(error::eperm);
  const dev_id dev = TRY(block_device_of(ctx, device));
  const inode_ref dir = TRY(namei(ctx, directory));
  if (!dir->is_dir()) return fail(error::enotdir);
  super_block* sb = TRY(read_super(dev, (flags & abi::ms_rdonly) != 0));
  const result<void> put = put_on(*sb, *dir);
  if (!put) {
    static_cast<void>(restore_state(*sb));
    put_super(*sb);
  }
  return put;
}
}  // namespace

result<void> mount_path(fs_context& ctx, std::string_view device, std::string_view directory,
                        u32 flags) {
  return checkpoint::at_the_door([&] { return mount_path_now(ctx, device, directory, flags); });
}

result<void> umount_path(fs_context& ctx, std::string_view path, bool force) {
  return checkpoint::at_the_door([&]() -> result<void> {
    if (ctx.euid != 0) return fail(error::eperm);
    return umount(*TRY(mounted_at(ctx, path)), force ? when_missed::give_up : when_missed::wait);
  });
}

void umount_all() {
  for (super_block& sb : all_super_blocks()) {
    if (!sb.s_ready || sb.s_dev == root_dev || checkpoint::absent(sb.s_dev)) continue;
    // Files may still be open, but no program will write to them any more.
    if (umount(sb, when_missed::fail) || !sb.s_ready || checkpoint::absent(sb.s_dev)) continue;
    if (!write_out(sb)) printk("%s could not be written out\n", sb.s_device.data());
  }
  if (super_block* root = get_super(root_dev)) static_cast<void>(write_out(*root));
}

void stay_mounted() {
  for (super_block& sb : all_super_blocks())
    if (sb.s_ready && !checkpoint::absent(sb.s_dev)) static_cast<void>(clear_state(sb));
}
