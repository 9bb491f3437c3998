// The system calls about what stands in an inode: kinds, sizes, rights and times.
#include "hal/clock.h"
#include "kernel/files.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

result<void> sys_stat(user_ptr path, user_ptr buffer) {
  const std::string_view name = TRY(user_path(path));
  return put_user(buffer, TRY(stat_path(current->fs, name)));
}

// MINIX V1 as the book uses it has no symbolic links to be looked at.
result<void> sys_lstat(user_ptr path, user_ptr buffer) { return sys_stat(path, buffer); }

result<void> sys_fstat(u32 fd, user_ptr buffer) {
  file& f = *TRY(file_of(fd));
  return put_user(buffer, TRY(stat_file(f)));
}

result<void> sys_statfs(user_ptr path, user_ptr buffer) {
  const std::string_view name = TRY(user_path(path));
  return put_user(buffer, TRY(statfs_path(current->fs, name)));
}

result<void> sys_access(user_ptr path, u32 mode) {
  if (mode > 7) return fail(error::einval);
  return access_path(current->fs, TRY(user_path(path)), mode);
}

result<void> sys_chmod(user_ptr path, u32 mode) {
  return chmod_path(current->fs, TRY(user_path(path)), static_cast<u16>(mode));
}

// The program passes the times of access and modification, or null for now. MINIX V1 keeps the
// second only.
result<void> sys_utime(user_ptr path, user_ptr times) {
  const std::string_view name = TRY(user_path(path));
  const u32 mtime = times ? TRY((get_user<std::array<u32, 2>>(times)))[1] : current_time();
  return utime_path(current->fs, name, mtime);
}

result<u32> sys_umask(u32 mask) {
  return std::exchange(current->fs.umask, static_cast<u16>(mask & 0777));
}

namespace {
// A length in bytes that a program has passed: a signed number. Errors: einval when it is negative.
result<u32> length_of(u32 size) {
  return static_cast<i32>(size) < 0 ? fail(error::einval) : result<u32>(size);
}
}  // namespace

result<void> sys_truncate(user_ptr path, u32 size) {
  return truncate_path(current->fs, TRY(user_path(path)), TRY(length_of(size)));
}

result<void> sys_ftruncate(u32 fd, u32 size) {
  return truncate_file(*TRY(file_of(fd)), TRY(length_of(size)));
}
