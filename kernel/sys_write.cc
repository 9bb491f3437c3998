// write and read: the first station of a byte on its way to the stick (docs/design.md).
//
// The descriptor becomes an open file and the pointer checked memory, piece by piece. The next
// station is write_open_file in fs/read_write.cc.
#include <algorithm>

#include "kernel/files.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {

// One call moves at most this much, so that no count looks like an error number.
constexpr u32 MAX_COUNT = 0x7FFF'F000;
// A call is made in pieces. Only the memory of the next piece is checked and gets its pages: a pipe
// or a terminal may have one byte for a large buffer. Between two pieces other tasks may run.
constexpr u32 PIECE = 256 * 1024;

// Moves pieces until one is not whole. An error behind the first piece is met again by the next
// call, and told there.
template <class Move>
result<u32> in_pieces(user_ptr buffer, u32 count, Move move) {
  count = std::min(count, MAX_COUNT);
  u32 done = 0;
  do {
    const u32 size = std::min(count - done, PIECE);
    const result<u32> moved = move(buffer + done, size);
    if (!moved) return done ? result<u32>(done) : moved;
    done += *moved;
    if (*moved < size || done == count) return done;
    give_way();
  } while (!fatal_signal_pending());
  return done;
}

result<u32> write_piece(file& to, user_ptr buffer, u32 size) {
  const result<u32> written = write_open_file(to, TRY(user_span(buffer, size, false)));
  if (written == fail(error::epipe)) send_signal(*current, abi::sigpipe);
  return written;
}

result<u32> read_piece(file& from, user_ptr buffer, u32 size) {
  return read_open_file(from, TRY(user_span(buffer, size, true)));
}

}  // namespace

result<u32> sys_write(u32 fd, user_ptr buffer, u32 count) {
  file& to = *TRY(file_of(fd));
  return in_pieces(buffer, count, [&](user_ptr at, u32 size) { return write_piece(to, at, size); });
}

result<u32> sys_read(u32 fd, user_ptr buffer, u32 count) {
  file& from = *TRY(file_of(fd));
  return in_pieces(buffer, count,
                   [&](user_ptr at, u32 size) { return read_piece(from, at, size); });
}
