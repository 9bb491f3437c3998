// write and read: where the walk through the kernel starts (docs/design.md, "One write, followed").
//
// A descriptor is an open file, a pointer is checked memory; everything else is the file's own
// matter: the next station of a byte on its way to the stick is write_open_file in fs/.
#include <algorithm>

#include "kernel/files.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {
// One call moves at most this much, so that no count looks like an error number.
constexpr u32 MAX_COUNT = 0x7FFF'F000;
}  // namespace

result<u32> sys_write(u32 fd, u32 buffer, u32 count) {
  file& to = *TRY(file_of(fd));
  const std::span<const byte> bytes = TRY(user_span(buffer, std::min(count, MAX_COUNT), false));
  const result<u32> written = write_open_file(to, bytes);
  if (written == fail(error::epipe)) send_signal(*current, abi::sigpipe);
  return written;
}

result<u32> sys_read(u32 fd, u32 buffer, u32 count) {
  file& from = *TRY(file_of(fd));
  return read_open_file(from, TRY(user_span(buffer, std::min(count, MAX_COUNT), true)));
}
