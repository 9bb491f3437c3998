// The system calls about whole file systems, and about durability.
#include "fs/sync.h"
#include "kernel/files.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {
constexpr u32 TYPE_NAME_MAX = 16;
}  // namespace

// There is one type of file system: the type is only checked. The book's mount has no data.
result<void> sys_mount(user_ptr device, user_ptr directory, user_ptr type, u32 flags, u32) {
  const std::string_view source = TRY(user_path(device));
  const std::string_view target = TRY(user_path(directory));
  if (type && TRY(user_text(type, TYPE_NAME_MAX, error::enodev)) != "minix")
    return fail(error::enodev);
  return mount_path(current->fs, source, target, flags & abi::ms_rdonly);
}

result<void> sys_umount2(user_ptr path, u32 flags) {
  if (flags & ~abi::mnt_force) return fail(error::einval);
  return umount_path(current->fs, TRY(user_path(path)), flags & abi::mnt_force);
}

result<void> sys_umount(user_ptr path) { return sys_umount2(path, 0); }

// The book's sys_sync stands in fs/sync.cc; unlike Linux's it returns a write error.
result<void> sys_sync_all() { return sys_sync(); }

// fdatasync too: it would save at most the inode's one block.
result<void> sys_fsync(u32 fd) { return sync_file(*TRY(file_of(fd))); }
