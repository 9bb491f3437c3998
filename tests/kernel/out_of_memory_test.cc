// Which process is ended when there is no memory (kernel/out_of_memory.h).
#include <gtest/gtest.h>

#include <utility>

#include "fs/inode.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "mm/address_space.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

constexpr u32 KILLED = abi::sigkill;  // a status of wait

// Makes its heap so large and touches each page.
void take(u32 pages) {
  user::call(call::brk, pc::HEAP_START + pages * PAGE_SIZE);
  for (u32 i = 0; i < pages; ++i) user::put<u8>(pc::HEAP_START + i * PAGE_SIZE, 1);
}

int process_with(u32 pages) {
  const int child = user::fork([pages] {
    take(pages);
    user::call(call::pause);
  });
  user::sleep_ms(100);
  return child;
}

void end(int child) {
  user::kill(child, abi::sigkill);
  EXPECT_EQ(user::waitpid(child), child);
}

void expect_killed(int child) {
  u32 status = 0;
  EXPECT_EQ(user::waitpid(child, &status, abi::wnohang), child);
  EXPECT_EQ(status, KILLED);
}

void expect_alive(int child) {
  EXPECT_EQ(user::waitpid(child, nullptr, abi::wnohang), 0);
  end(child);
}

void wake(task_struct& sleeper) {
  const irq_guard masked;
  wake_task(sleeper, wake_reason::signalled);
}

// Calls it in a process of its own, which must end well, while no page is free.
void expect_done_without_memory(std::function<void()> body) {
  u32 status = 0;
  const int child = user::fork([&] {
    take(1);
    user::call(call::brk, pc::HEAP_START + 20 * PAGE_SIZE);
    user::room(16);
    pc::leave_free_pages(0);
    body();
    user::exit(7);
  });
  EXPECT_EQ(user::waitpid(child, &status), child);
  pc::release_memory();
  EXPECT_EQ(status, 7u << 8);
}

TEST(out_of_memory, ends_the_largest_process) {
  pc::machine machine;
  machine.run([] {
    const int small = process_with(10), large = process_with(60), middle = process_with(40);
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    expect_killed(large);
    expect_alive(small);
    expect_alive(middle);
    EXPECT_NE(pc::console().find("(pid " + std::to_string(large) + ") has "), std::string::npos);
  });
}

// A call can tell that there is no memory: no process is ended for it.
TEST(out_of_memory, is_an_error_of_a_system_call) {
  pc::machine machine;
  machine.run([] {
    const int large = process_with(60);
    expect_done_without_memory([] {
      const u32 to = pc::HEAP_START + 5 * PAGE_SIZE;
      EXPECT_EQ(user::call(call::clock_gettime, abi::clock_monotonic, to),
                -to_errno(error::enomem));
    });
    expect_alive(large);
  });
}

// A process that blocks SIGKILL is ending itself, or the machine.
TEST(out_of_memory, passes_over_a_process_that_blocks_its_end) {
  pc::machine machine;
  machine.run([] {
    const int large = process_with(60), middle = process_with(40);
    find_process(large)->blocked = ~0u;
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    expect_killed(middle);
    find_process(large)->blocked = 0;
    expect_alive(large);
  });
}

// The frame of a signal's handler needs a page of the stack.
TEST(out_of_memory, ends_the_largest_process_for_a_handler) {
  pc::machine machine;
  machine.run([] {
    const int small = process_with(10), large = process_with(60);
    expect_done_without_memory([] {
      bool handled = false;
      user::set_handler(abi::sigusr1, user::handler([&](u32) { handled = true; }));
      const u32 stack = std::exchange(pc::registers().esp, pc::registers().esp - 5 * PAGE_SIZE);
      user::kill(user::pid(), abi::sigusr1);
      pc::registers().esp = stack;
      EXPECT_TRUE(handled);
    });
    expect_killed(large);
    expect_alive(small);
  });
}

// It gives its memory back before it closes its files. Here that takes long: closing a disk writes
// what is dirty, and each write takes four seconds.
TEST(out_of_memory, a_process_that_ends_slowly_has_no_memory_any_more) {
  pc::machine machine({.audit = false});
  pc::mounted_stick m;
  machine.run([&] {
    m.mount();
    const int middle = process_with(40);
    const int large = user::fork([&] {
      take(60);
      EXPECT_GE(user::open("/tmp/sda", abi::o_wronly), 0);
      EXPECT_GE(user::open("/mnt/f", abi::o_creat | abi::o_wronly), 0);
      m.device().slow_down(4_s);
      user::call(call::pause);
    });
    user::sleep_ms(100);
    const instant begun = now();
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    EXPECT_LT(now() - begun, 1_s);
    EXPECT_EQ(user::waitpid(large, nullptr, abi::wnohang), 0) << "it still closes its files";
    user::kill(large, abi::sigkill);  // again: it is not waited for, it has nothing to give
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    expect_killed(middle);
    EXPECT_LT(now() - begun, 1_s);
    pc::end_test();
  });
}

TEST(out_of_memory, ends_the_process_that_asks_when_it_is_the_largest) {
  pc::machine machine;
  machine.run([] {
    const int small = process_with(10);
    const int asking = user::fork([] {
      take(60);
      user::call(call::brk, pc::HEAP_START + 62 * PAGE_SIZE);
      pc::leave_free_pages(0);
      user::put<u8>(pc::HEAP_START + 61 * PAGE_SIZE, 1);
      user::exit(7);
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(asking, &status), asking);
    pc::release_memory();
    EXPECT_EQ(status, KILLED);
    expect_alive(small);
  });
}

TEST(out_of_memory, never_ends_process_1) {
  pc::machine machine;
  machine.run([] {
    take(100);
    const int large = process_with(30);
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    expect_killed(large);
    EXPECT_EQ(user::get<u8>(pc::HEAP_START), 1);
  });
}

// A process that cannot end at once, because it sleeps uninterruptibly, is waited for for a second.
TEST(out_of_memory, ends_another_one_when_the_largest_does_not_end) {
  pc::machine machine;
  machine.run([] {
    const int large = process_with(60), middle = process_with(40), small = process_with(10);
    task_struct& stuck = *find_process(large);
    stuck.state = task_state::uninterruptible;
    const instant begun = now();
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    EXPECT_GE(now() - begun, 1_s);
    EXPECT_LT(now() - begun, 3_s);
    expect_killed(middle);
    expect_alive(small);
    wake(stuck);
    user::sleep_ms(100);
    expect_killed(large);
  });
}

TEST(out_of_memory, ends_a_process_that_is_stopped) {
  pc::machine machine;
  machine.run([] {
    const int large = process_with(60), middle = process_with(40);
    user::kill(large, abi::sigstop);
    user::sleep_ms(50);
    expect_done_without_memory([] { user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1); });
    expect_killed(large);
    expect_alive(middle);
  });
}

// Two processes have no memory at once, and the largest one takes a moment to end: one end is
// enough for both.
TEST(out_of_memory, one_end_is_enough_for_two_that_ask) {
  pc::machine machine;
  machine.run([] {
    const int large = process_with(60), middle = process_with(40);
    task_struct& slow = *find_process(large);
    slow.state = task_state::uninterruptible;
    const int waker = user::fork([&] {
      user::sleep_ms(300);
      wake(slow);
      user::exit(0);
    });
    const int other = user::fork([] {
      take(1);
      user::call(call::brk, pc::HEAP_START + 20 * PAGE_SIZE);
      user::sleep_ms(50);
      user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1);
      user::exit(8);
    });
    user::sleep_ms(10);
    expect_done_without_memory([] {
      user::sleep_ms(40);
      user::put<u8>(pc::HEAP_START + 5 * PAGE_SIZE, 1);
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(other, &status), other);
    EXPECT_EQ(status, 8u << 8);
    EXPECT_EQ(user::waitpid(waker), waker);
    expect_killed(large);
    expect_alive(middle);
  });
}

}  // namespace
