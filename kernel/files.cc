// The descriptor table of a process: see files.h.
#include "kernel/files.h"

namespace {
constexpr u32 bit_of(u32 fd) { return u32{1} << fd; }
static_assert(NR_OPEN <= 32, "close_on_exec has one bit per descriptor");
}  // namespace

result<file*> file_of(u32 fd) {
  if (fd >= NR_OPEN || !current->filp[fd]) return fail(error::ebadf);
  return current->filp[fd];
}

result<u32> free_descriptor(u32 lowest) {
  for (u32 fd = lowest; fd < NR_OPEN; ++fd)
    if (!current->filp[fd]) return fd;
  return fail(error::emfile);
}

result<u32> install_file(file* opened) {
  const result<u32> fd = free_descriptor();
  if (!fd) {
    (void)close_file(*opened);  // nothing was written through it
    return fd;
  }
  current->filp[*fd] = opened;
  return fd;
}

// The slot is emptied first: close_file may sleep, and the descriptor is closed also when it fails.
// The mark goes with the file: a free descriptor has none.
result<void> close_descriptor(u32 fd) {
  file* const closing = TRY(file_of(fd));
  current->filp[fd] = nullptr;
  current->close_on_exec &= ~bit_of(fd);
  return close_file(*closing);
}

void share_files(const task_struct& from, task_struct& to) {
  for (u32 fd = 0; fd < NR_OPEN; ++fd)
    to.filp[fd] = from.filp[fd] ? share_file(*from.filp[fd]) : nullptr;
  to.close_on_exec = from.close_on_exec;
}

void close_files(bool only_marked) {
  for (u32 fd = 0; fd < NR_OPEN; ++fd)
    if (current->filp[fd] && (!only_marked || current->close_on_exec & bit_of(fd)))
      (void)close_descriptor(fd);  // its error has no receiver any more
}
