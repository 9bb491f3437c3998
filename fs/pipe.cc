// Pipes. Differences from the book: a read returns what is there, as POSIX demands; the whole page
// is used; has_reader and has_writer say whether each end is open; all waits are interruptible.
#include "fs/pipe.h"

#include <algorithm>

#include "fs/inode_table.h"
#include "hal/clock.h"

namespace {

constinit std::array<pipe_ring, NR_FILE / 2> pipes{};

u32 used(const pipe_ring& pipe) { return pipe.head - pipe.tail; }
u32 room(const pipe_ring& pipe) { return PIPE_SIZE - used(pipe); }

// take and put copy at most up to the end of the page and return how many bytes; callers call
// twice, the second time for the bytes from the start of the page.
u32 take(pipe_ring& pipe, std::span<byte> to) {
  const u32 at = pipe.tail % PIPE_SIZE;
  const size_t count = std::min({to.size(), size_t{used(pipe)}, size_t{PIPE_SIZE - at}});
  std::ranges::copy(pipe.page.subspan(at, count), to.begin());
  pipe.tail += static_cast<u32>(count);
  return static_cast<u32>(count);
}

u32 put(pipe_ring& pipe, std::span<const byte> from) {
  const u32 at = pipe.head % PIPE_SIZE;
  const size_t count = std::min({from.size(), size_t{room(pipe)}, size_t{PIPE_SIZE - at}});
  std::ranges::copy(from.first(count), pipe.page.subspan(at).begin());
  pipe.head += static_cast<u32>(count);
  return static_cast<u32>(count);
}

// Sleeps until the other end reads, writes or closes. Errors: eagain, eintr.
result<void> wait_for_peer(pipe_ring& pipe, u32 flags) {
  if (flags & abi::o_nonblock) return fail(error::eagain);
  if (interruptible_sleep_on(pipe.changed) == wake_reason::signalled) return fail(error::eintr);
  return {};
}

// Waits until `wanted` bytes fit. Errors: epipe, eagain, eintr.
result<void> wait_for_room(pipe_ring& pipe, u32 flags, u32 wanted) {
  while (pipe.has_reader && room(pipe) < wanted) TRY(wait_for_peer(pipe, flags));
  return pipe.has_reader ? result<void>() : result<void>(fail(error::epipe));
}

}  // namespace

result<u32> read_pipe(m_inode& inode, u32 flags, std::span<byte> to) {
  pipe_ring& pipe = *inode.i_pipe;
  if (to.empty()) return 0;
  while (used(pipe) == 0) {
    if (!pipe.has_writer) return 0;
    TRY(wait_for_peer(pipe, flags));
  }
  u32 done = take(pipe, to);
  done += take(pipe, to.subspan(done));
  wake_up(pipe.changed);
  return done;
}

result<u32> write_pipe(m_inode& inode, u32 flags, std::span<const byte> from) {
  pipe_ring& pipe = *inode.i_pipe;
  const u32 wanted = from.size() <= PIPE_SIZE ? static_cast<u32>(from.size()) : 1;
  u32 done = 0;
  while (done < from.size()) {
    const result<void> ready = wait_for_room(pipe, flags, wanted);
    if (!ready && done == 0) return fail(ready.error());
    if (!ready) break;
    done += put(pipe, from.subspan(done));
    done += put(pipe, from.subspan(done));
    inode.i_mtime = current_time();
    wake_up(pipe.changed);
  }
  return done;
}

void close_pipe_end(m_inode& inode, bool writing) {
  pipe_ring& pipe = *inode.i_pipe;
  (writing ? pipe.has_writer : pipe.has_reader) = false;
  wake_up(pipe.changed);
}

result<inode_ref> get_pipe_inode() {
  const auto pipe = std::ranges::find_if(
      pipes, [](const pipe_ring& p) { return p.page.empty() && p.changed.waiters.empty(); });
  if (pipe == pipes.end()) return fail(error::enfile);
  inode_ref inode = TRY(get_empty_inode());
  pipe->page = allocate_pages(1);
  if (pipe->page.empty()) return fail(error::enomem);
  pipe->head = pipe->tail = 0;
  pipe->has_reader = pipe->has_writer = true;
  inode->i_mode = abi::s_ififo | 0600;
  inode->i_nlinks = 1;
  inode->i_mtime = current_time();
  inode->i_pipe = &*pipe;
  return inode;
}

void free_pipe(m_inode& inode) {
  free_pages(inode.i_pipe->page);
  inode.i_pipe->page = {};
  inode.i_pipe = nullptr;
}

u32 pipe_bytes(const m_inode& inode) { return used(*inode.i_pipe); }
