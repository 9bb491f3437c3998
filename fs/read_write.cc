// read, write, lseek, fsync, ioctl of an open file: each call goes to the functions of the file's
// type (the book's read_write.c and ioctl.c).
//
// A file on a volume that was given up answers eio to read, write and fsync.
#include "drivers/char/char_device.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/file_dev.h"
#include "fs/file_errors.h"
#include "fs/inode.h"
#include "fs/pipe.h"
#include "fs/sync.h"

namespace {

bool may_read(const file& f) { return (f.f_flags & abi::o_accmode) != abi::o_wronly; }
bool may_write(const file& f) { return (f.f_flags & abi::o_accmode) != abi::o_rdonly; }

// The book's rw_char.
result<u32> char_read(m_inode& inode, file& f, std::span<byte> to) {
  const char_device* device = TRY(find_char_device(inode.rdev()));
  if (!device->read) return 0;
  const u32 done = TRY(device->read(inode.rdev().minor(), to, f.f_pos, f.f_flags));
  f.f_pos += done;
  return done;
}

result<u32> char_write(m_inode& inode, file& f, std::span<const byte> from) {
  const char_device* device = TRY(find_char_device(inode.rdev()));
  if (!device->write) return static_cast<u32>(from.size());
  const u32 done = TRY(device->write(inode.rdev().minor(), from, f.f_pos, f.f_flags));
  f.f_pos += done;
  return done;
}

// Makes everything on the device durable. Errors: absent, also when it is pulled meanwhile; eio.
result<void> sync_volume(dev_id dev) {
  for (;;) {
    TRY(checkpoint::require_stick(dev));
    const result<void> synced = sync_dev(dev);
    const bool pulled = !synced && synced.error() == error::enodev && checkpoint::absent(dev);
    if (!pulled && synced != fail(error::absent)) return synced;
  }
}

// The same for a file: what else fails on its device is no error of it.
result<void> sync_now(const m_inode& inode) {
  if (inode.is_block()) return sync_volume(inode.rdev());
  TRY(check_alive(inode));
  const result<void> synced = sync_volume(inode.i_dev);
  TRY(check_alive(inode));
  if (synced || !is_of_the_medium(synced.error())) return synced;
  const bool concerned =
      inode.i_dirt || has_stuck_inodes(whole_disk(inode.i_dev)) || waits_for_blocks(inode);
  return concerned ? synced : result<void>();
}

bool can_seek(const m_inode& inode) {
  const u8 major = inode.rdev().major();
  const bool terminal = inode.is_char() && (major == abi::major_tty || major == abi::major_console);
  return !inode.i_pipe && !terminal;
}

result<u32> end_of(const m_inode& inode) {
  return inode.is_block() ? block_device_size(inode.rdev()) : result<u32>(inode.i_size);
}

}  // namespace

// A call of a device or a pipe is not made again: what it has done cannot be done twice.
result<u32> read_open_file(file& f, std::span<byte> to) {
  m_inode& inode = *f.f_inode;
  if (!may_read(f)) return fail(error::ebadf);
  if (inode.i_pipe) return read_pipe(inode, f.f_flags, to);
  if (inode.is_char()) return char_read(inode, f, to);
  if (inode.is_dir()) return fail(error::eisdir);
  return checkpoint::at_the_door(
      [&] { return inode.is_block() ? block_read(inode, f, to) : file_read(inode, f, to); });
}

result<u32> write_open_file(file& f, std::span<const byte> from) {
  m_inode& inode = *f.f_inode;
  if (!may_write(f)) return fail(error::ebadf);
  if (inode.i_pipe) return write_pipe(inode, f.f_flags, from);
  if (inode.is_char()) return char_write(inode, f, from);
  if (inode.is_dir()) return fail(error::eisdir);
  return checkpoint::at_the_door(
      [&] { return inode.is_block() ? block_write(inode, f, from) : file_write(inode, f, from); });
}

result<u32> seek_file(file& f, i32 offset, u32 whence) {
  if (!can_seek(*f.f_inode)) return fail(error::espipe);
  i64 base = 0;
  if (whence == abi::seek_cur) base = f.f_pos;
  if (whence == abi::seek_end) base = TRY(end_of(*f.f_inode));
  if (whence > abi::seek_end) return fail(error::einval);
  const i64 position = base + offset;
  if (position < 0) return fail(error::einval);
  if (position > INT32_MAX) return fail(error::eoverflow);
  f.f_pos = static_cast<u32>(position);
  return f.f_pos;
}

result<void> sync_file(file& f) {
  const m_inode& inode = *f.f_inode;
  if (inode.i_pipe || inode.is_char()) return fail(error::einval);
  const result<void> synced = checkpoint::at_the_door([&] { return sync_now(inode); });
  if (synced == fail(error::eintr)) return synced;
  const result<void> earlier = take_file_error(f);
  return synced ? earlier : synced;
}

result<ioctl_argument> argument_of_ioctl(file& f, u32 command) {
  if (!f.f_inode->is_char()) return fail(error::enotty);
  const char_device* device = TRY(find_char_device(f.f_inode->rdev()));
  return device->argument_of ? device->argument_of(command) : ioctl_argument{};
}

result<u32> ioctl_file(file& f, u32 command, std::span<byte> argument) {
  if (!f.f_inode->is_char()) return fail(error::enotty);
  const char_device* device = TRY(find_char_device(f.f_inode->rdev()));
  if (!device->ioctl) return fail(error::enotty);
  return device->ioctl(f.f_inode->rdev().minor(), command, argument);
}
