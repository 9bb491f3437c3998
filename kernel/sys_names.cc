// The system calls about names and directories.
#include <algorithm>

#include "kernel/files.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

result<void> sys_link(user_ptr from, user_ptr to) {
  return link_path(current->fs, TRY(user_path(from)), TRY(user_path(to)));
}

result<void> sys_unlink(user_ptr path) { return unlink_path(current->fs, TRY(user_path(path))); }

result<void> sys_rename(user_ptr from, user_ptr to) {
  return rename_path(current->fs, TRY(user_path(from)), TRY(user_path(to)));
}

result<void> sys_mkdir(user_ptr path, u32 mode) {
  return make_directory(current->fs, TRY(user_path(path)), static_cast<u16>(mode));
}

result<void> sys_rmdir(user_ptr path) {
  return remove_directory(current->fs, TRY(user_path(path)));
}

result<void> sys_mknod(user_ptr path, u32 mode, u32 device) {
  return make_node(current->fs, TRY(user_path(path)), static_cast<u16>(mode),
                   dev_id(static_cast<u16>(device)));
}

result<void> sys_chdir(user_ptr path) {
  return change_directory(current->fs, TRY(user_path(path)));
}

// As on Linux: the length of the text with its NUL.
result<u32> sys_getcwd(user_ptr buffer, u32 size) {
  const u32 length = std::min(size, PATH_MAX);
  const std::span<byte> to = TRY(user_span(buffer, length, true));
  return current_directory(current->fs, {reinterpret_cast<char*>(to.data()), to.size()});
}

namespace {

// One call tells at most so many bytes of records. Only their memory is checked and gets its pages:
// a large buffer may be for a directory of three names.
constexpr u32 MAX_RECORDS = 64 * 1024;

}  // namespace

result<u32> sys_getdents(u32 fd, user_ptr buffer, u32 size) {
  file& directory = *TRY(file_of(fd));
  const u32 length = std::min(size, MAX_RECORDS);
  return read_directory(directory, TRY(user_span(buffer, length, true)));
}
