// Long reads and writes are made in pieces (kernel/sys_write.cc): what a call needs of the
// program's memory, and what may happen between two pieces. A directory is read by one piece a
// call.
#include <gtest/gtest.h>

#include "kernel/sched.h"
#include "mm/address_space.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

constexpr u32 PIECE = 256 * 1024;
constexpr u32 PIECE_PAGES = PIECE / PAGE_SIZE;
constexpr u32 LARGE = 100 * 1024 * 1024;  // more than the machine has

void have_heap(u32 bytes) { EXPECT_GT(user::call(call::brk, pc::HEAP_START + bytes), 0); }

u32 position_of(i32 fd) {
  return static_cast<u32>(user::call(call::lseek, static_cast<u32>(fd), 0, abi::seek_cur));
}

i32 read_to_heap(i32 fd, u32 count) {
  return user::call(call::read, static_cast<u32>(fd), pc::HEAP_START, count);
}

TEST(pieces, one_byte_needs_the_pages_of_one_piece) {
  pc::machine machine;
  machine.run([] {
    have_heap(LARGE);
    const u32 ends = user::room(8);
    ASSERT_EQ(user::call(call::pipe, ends), 0);
    const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
    ASSERT_EQ(user::write(to, "x"), 1);
    const u32 before = current->space->present_pages();
    EXPECT_EQ(read_to_heap(from, LARGE), 1);
    EXPECT_LE(current->space->present_pages(), before + PIECE_PAGES + 1);
    EXPECT_EQ(user::get<u8>(pc::HEAP_START), 'x');
    user::close(from);
    user::close(to);
  });
}

TEST(pieces, are_moved_until_the_last) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/dev/zero");
    ASSERT_GE(fd, 0);
    have_heap(3 * PIECE);
    for (const u32 count : {0u, 1u, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5}) {
      const u32 before = position_of(fd);
      user::put<u8>(pc::HEAP_START + count, 0x5A);
      if (count) user::put<u8>(pc::HEAP_START + count - 1, 0x5A);
      EXPECT_EQ(read_to_heap(fd, count), static_cast<i32>(count));
      EXPECT_EQ(position_of(fd), before + count);
      if (count) {
        EXPECT_EQ(user::get<u8>(pc::HEAP_START + count - 1), 0);
      }
      EXPECT_EQ(user::get<u8>(pc::HEAP_START + count), 0x5A);
    }
    user::close(fd);
  });
}

// The memory behind the first piece is none: what was moved is told, and the next call has the
// error.
TEST(pieces, an_error_behind_the_first_one_is_met_by_the_next_call) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/dev/zero");
    have_heap(PIECE);
    EXPECT_EQ(read_to_heap(fd, 2 * PIECE), static_cast<i32>(PIECE));
    EXPECT_EQ(user::call(call::read, static_cast<u32>(fd), pc::HEAP_START + PIECE, 1),
              -to_errno(error::efault));
    user::close(fd);
  });
}

// Another process runs between two pieces: it sees the pages of one.
TEST(pieces, others_run_between_them) {
  pc::machine machine;
  machine.run([] {
    have_heap(4 * PIECE);
    const i32 fd = user::open("/dev/zero");
    task_struct* const reader = current;
    const u32 before = reader->space->present_pages();
    u32 seen = 0;
    const int child = user::fork([&] {
      seen = reader->space->present_pages() - before;
      user::exit(0);
    });
    current->counter = 0;
    EXPECT_EQ(read_to_heap(fd, 4 * PIECE), static_cast<i32>(4 * PIECE));
    EXPECT_EQ(user::waitpid(child), child);
    EXPECT_GE(seen, PIECE_PAGES);
    EXPECT_LT(seen, 2 * PIECE_PAGES);
    user::close(fd);
  });
}

// A child reads four pieces and is sent the signal after the first. Returns how much it has read.
u32 read_until(u32 signal, u32 handler) {
  have_heap(4 * PIECE);
  const i32 fd = user::open("/dev/zero");
  const int child = user::fork([=] {
    if (handler) user::set_handler(signal, handler);
    current->counter = 0;
    read_to_heap(fd, 4 * PIECE);
    user::exit(0);
  });
  user::be_interrupted();
  while (position_of(fd) == 0) user::compute(1);
  user::kill(child, signal);
  EXPECT_EQ(user::waitpid(child), child);
  const u32 all = position_of(fd);
  user::close(fd);
  return all;
}

TEST(pieces, a_signal_that_ends_the_process_ends_the_call) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(read_until(abi::sigkill, 0), PIECE);
    EXPECT_EQ(read_until(abi::sigterm, 0), PIECE);
    EXPECT_EQ(read_until(abi::sigchld, 0), 4 * PIECE) << "it is ignored";
    const u32 handler = user::handler([](u32) {});
    EXPECT_EQ(read_until(abi::sigterm, handler), 4 * PIECE) << "it does not end it";
  });
}

// Reads the root directory with a buffer of so many bytes. Returns what the calls tell in all.
u32 told_of_root(u32 size) {
  const i32 fd = user::open("/");
  u32 told = 0;
  for (i32 part = 1; part > 0; told += static_cast<u32>(part)) {
    part = user::call(call::getdents, static_cast<u32>(fd), pc::HEAP_START, size);
    EXPECT_GE(part, 0);
    if (part < 0) break;
  }
  user::close(fd);
  return told;
}

TEST(pieces, a_directory_needs_the_pages_of_64_kib) {
  constexpr u32 MOST = 64 * 1024;
  pc::machine machine;
  machine.run([] {
    have_heap(16 * MOST);
    const u32 told = told_of_root(1024);
    EXPECT_GT(told, 0u);
    const u32 before = current->space->present_pages();
    for (const u32 size : {MOST - 1, MOST, MOST + 1, 16 * MOST})
      EXPECT_EQ(told_of_root(size), told);
    EXPECT_LE(current->space->present_pages(), before + MOST / PAGE_SIZE + 1);
  });
}

}  // namespace
