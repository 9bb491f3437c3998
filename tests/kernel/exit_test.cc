// The ends of processes, and how their fathers learn of them.
#include <gtest/gtest.h>

#include <set>

#include "hal/clock.h"
#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }
void pause_for_ever() {
  for (;;) user::call(call::pause);
}

TEST(waitpid, returns_the_child_that_was_asked_for) {
  pc::machine machine;
  machine.run([] {
    const int first = user::fork([] { user::exit(1); });
    const int second = user::fork([] { user::exit(2); });
    const int third = user::fork([] { user::exit(3); });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(second, &status), second);
    EXPECT_EQ(status, 2u << 8);
    EXPECT_EQ(user::waitpid(second), minus(error::echild)) << "it was reported once";
    const std::set<int> others = {user::wait(), user::wait()};
    EXPECT_EQ(others, (std::set<int>{first, third}));
    EXPECT_EQ(user::wait(), minus(error::echild));
  });
}

TEST(waitpid, a_child_that_lives_is_waited_for) {
  pc::machine machine;
  machine.run([] {
    const int slow = user::fork([] {
      user::sleep_ms(300);
      user::exit(4);
    });
    const int quick = user::fork([] { user::sleep_ms(20); });
    EXPECT_EQ(user::waitpid(slow, nullptr, abi::wnohang), 0);
    u32 status = 0;
    EXPECT_EQ(user::waitpid(slow, &status), slow) << "the end of another child is not its end";
    EXPECT_EQ(status, 4u << 8);
    EXPECT_EQ(user::waitpid(slow, nullptr, abi::wnohang), minus(error::echild));
    EXPECT_EQ(user::wait(), quick);
  });
}

TEST(waitpid, groups) {
  pc::machine machine;
  machine.run([] {
    const int same = user::fork([] {});
    const int other = user::fork([] { user::sleep_ms(10); });
    user::call(call::setpgid, static_cast<u32>(other), 0);
    const int member = user::fork([] { user::sleep_ms(30); });
    user::call(call::setpgid, static_cast<u32>(member), static_cast<u32>(other));
    EXPECT_EQ(user::waitpid(-other), other);
    EXPECT_EQ(user::waitpid(-other), member);
    EXPECT_EQ(user::waitpid(-other), minus(error::echild));
    EXPECT_EQ(user::waitpid(0), same);
    EXPECT_EQ(user::waitpid(0), minus(error::echild));
  });
}

TEST(waitpid, bad_arguments) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] { user::exit(5); });
    user::sleep_ms(10);
    EXPECT_EQ(user::waitpid(child, nullptr, 4), minus(error::einval));
    for (const u32 bad : {pc::TEXT_START, pc::DATA_END, 0x8000'0000u, ~0u, pc::DATA_END - 2})
      EXPECT_EQ(user::call(call::waitpid, ~0u, bad, 0), minus(error::efault)) << std::hex << bad;
    EXPECT_EQ(user::waitpid(1), minus(error::echild)) << "itself";
    EXPECT_EQ(user::waitpid(12345), minus(error::echild));
    EXPECT_EQ(user::waitpid(INT32_MIN), minus(error::echild));
    EXPECT_EQ(user::wait(), child) << "a call that fails does not lose the child";
    const int living = user::fork([] { user::sleep_ms(100); });
    EXPECT_EQ(user::call(call::waitpid, ~0u, pc::TEXT_START, abi::wnohang), minus(error::efault))
        << "at once, not when it ends";
    EXPECT_EQ(user::wait(), living);
  });
}

// The status is written into a page that the father has not touched, at its end.
TEST(waitpid, a_status_across_a_page_border) {
  pc::machine machine;
  machine.run([] {
    EXPECT_GT(user::fork([] { user::exit(0xAB); }), 0);
    const u32 border = pc::DATA_START + 8 * PAGE_SIZE;
    EXPECT_GT(user::call(call::waitpid, ~0u, border - 2, 0), 0);
    EXPECT_EQ(user::get<u32>(border - 2), 0xAB00u);
  });
}

TEST(waitpid, a_signal_with_a_handler_ends_it_or_begins_it_again) {
  for (const bool restart : {false, true}) {
    pc::machine machine;
    machine.run([&] {
      u32 handled = 0;
      user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }),
                        restart ? abi::sa_restart : 0);
      const int child = user::fork([] {
        user::sleep_ms(50);
        user::kill(1, abi::sigusr1);
        user::sleep_ms(50);
        user::exit(6);
      });
      const int got = user::wait();
      EXPECT_EQ(handled, 1u);
      EXPECT_EQ(got, restart ? child : minus(error::eintr));
      EXPECT_EQ(user::wait(), restart ? minus(error::echild) : child);
    });
  }
}

TEST(waitpid, the_times_of_children_are_added_when_they_are_waited_for) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      const int grandchild = user::fork([] { user::compute(20); });
      user::compute(10);
      EXPECT_EQ(user::wait(), grandchild);
    });
    user::sleep_ms(1000);
    EXPECT_EQ(current->child_user_ticks, 0u);
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(current->child_user_ticks, 30u);
    const u32 times = user::room(16);
    EXPECT_GT(user::call(call::times, times), 0);
    EXPECT_EQ(user::get<u32>(times + 8), 30u);
  });
}

// --- stopped children ---

TEST(waitpid, a_stop_is_reported_once_and_only_when_asked_for) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork(pause_for_ever);
    user::sleep_ms(10);
    user::kill(child, abi::sigstop);
    user::sleep_ms(10);
    EXPECT_EQ(user::waitpid(child, nullptr, abi::wnohang), 0);
    u32 status = 0;
    EXPECT_EQ(user::waitpid(child, &status, abi::wuntraced), child);
    EXPECT_EQ(status, abi::sigstop << 8 | 0x7F);
    EXPECT_EQ(user::waitpid(child, nullptr, abi::wuntraced | abi::wnohang), 0);
    user::kill(child, abi::sigcont);
    user::sleep_ms(10);
    EXPECT_EQ(find_process(child)->state, task_state::interruptible);
    user::kill(child, abi::sigstop);
    EXPECT_EQ(user::waitpid(child, &status, abi::wuntraced), child) << "a second stop";
    EXPECT_EQ(status, abi::sigstop << 8 | 0x7F);
    user::kill(child, abi::sigkill);
    EXPECT_EQ(user::waitpid(child, &status), child) << "SIGKILL reaches a stopped process";
    EXPECT_EQ(status, abi::sigkill);
  });
}

TEST(waitpid, a_father_that_sleeps_learns_of_a_stop) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      user::sleep_ms(50);
      user::kill(user::pid(), abi::sigstop);
      user::exit(8);
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(-1, &status, abi::wuntraced), child);
    EXPECT_EQ(status & 0xFF, 0x7Fu);
    user::kill(child, abi::sigcont);
    EXPECT_EQ(user::waitpid(-1, &status, abi::wuntraced), child);
    EXPECT_EQ(status, 8u << 8);
  });
}

// --- orphans ---

TEST(exit, children_of_a_dead_process_belong_to_process_1) {
  pc::machine machine;
  machine.run([] {
    int alive = 0, zombie = 0;
    const int father = user::fork([&] {
      zombie = user::fork([] { user::exit(2); });
      alive = user::fork([] {
        user::sleep_ms(200);
        EXPECT_EQ(user::call(call::getppid), 1);
        user::exit(3);
      });
      user::sleep_ms(50);
      user::exit(1);
    });
    std::set<int> ended;
    u32 statuses = 0;
    for (int i = 0; i < 3; ++i) {
      u32 status = 0;
      ended.insert(user::wait(&status));
      statuses += status >> 8;
    }
    EXPECT_EQ(ended, (std::set<int>{father, zombie, alive}));
    EXPECT_EQ(statuses, 6u);
    EXPECT_EQ(user::wait(), minus(error::echild));
  });
}

// Process 1 sleeps in waitpid while it is given a zombie, whose end it was not told of.
TEST(exit, a_zombie_that_is_adopted_wakes_process_1) {
  pc::machine machine;
  machine.run([] {
    int zombie = 0;
    const int father = user::fork([&] {
      zombie = user::fork([] {});
      user::sleep_ms(100);
    });
    EXPECT_EQ(user::waitpid(father), father);
    EXPECT_EQ(user::wait(), zombie);
    int second = 0;
    const int other = user::fork([&] {
      second = user::fork([] {});
      user::sleep_ms(100);
      user::fork([] { user::sleep_ms(500); });
    });
    // Asks for the zombie alone, before it is its child: only the adoption can wake it.
    user::sleep_ms(50);
    EXPECT_EQ(user::waitpid(second), minus(error::echild));
    EXPECT_EQ(user::waitpid(other), other);
    EXPECT_EQ(user::waitpid(second), second);
    EXPECT_GT(user::wait(), 0);
  });
}

// The father that ends is no child of process 1, so nothing but the adoption can wake process 1.
TEST(exit, a_zombie_from_another_family_wakes_process_1) {
  pc::machine machine;
  machine.run([] {
    int zombie = 0;
    const int grandfather = user::fork([&] {
      user::fork([&] {
        zombie = user::fork([] { user::exit(5); });
        user::sleep_ms(100);
      });
      user::sleep_ms(60'000);
    });
    user::sleep_ms(50);
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), zombie);
    EXPECT_EQ(status, 5u << 8);
    EXPECT_LT(now(), instant{} + 1_s) << "it was the end of another child";
    user::kill(grandfather, abi::sigkill);
    EXPECT_GT(user::wait(), 0);
    EXPECT_GT(user::wait(), 0);
  });
}

// --- what an end gives back ---

TEST(exit, a_process_gives_everything_back_before_it_is_waited_for) {
  pc::machine machine;
  machine.run([] {
    const u32 free_before = free_page_count();
    const int child = user::fork([] {
      const u32 ends = user::room(8);
      user::call(call::pipe, ends);
      user::call(call::brk, pc::HEAP_START + 10 * PAGE_SIZE);
      for (u32 i = 0; i < 10; ++i) user::put<u8>(pc::HEAP_START + i * PAGE_SIZE, 1);
      user::open("/tmp");
      user::call(call::chdir, user::text("/bin"));
    });
    user::sleep_ms(50);
    const task_struct* const zombie = find_process(child);
    EXPECT_EQ(zombie->state, task_state::zombie);
    EXPECT_EQ(zombie->space, nullptr);
    EXPECT_FALSE(zombie->executable);
    EXPECT_FALSE(zombie->fs.pwd);
    EXPECT_FALSE(zombie->fs.root);
    EXPECT_LE(free_before - free_page_count(), KERNEL_STACK_SIZE / PAGE_SIZE + 2);
    EXPECT_EQ(user::wait(), child);
  });
}

// The reader of a pipe sleeps until the last writer has ended.
TEST(exit, a_reader_is_woken_when_the_writer_ends) {
  pc::machine machine;
  machine.run([] {
    const u32 ends = user::room(8);
    user::call(call::pipe, ends);
    const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
    const int writer = user::fork([=] {
      user::close(from);
      user::sleep_ms(50);
      user::kill(user::pid(), abi::sigkill);
    });
    user::close(to);
    EXPECT_EQ(user::read(from, 10), "");
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), writer);
    EXPECT_EQ(status, abi::sigkill);
    user::close(from);
  });
}

TEST(exit, the_alarm_of_a_process_that_ends_does_nothing) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] { user::call(call::alarm, 1); });
    user::sleep_ms(2000);
    EXPECT_EQ(find_process(child)->state, task_state::zombie);
    EXPECT_EQ(user::wait(), child);
  });
}

TEST(exit, status_has_eight_bits) {
  pc::machine machine;
  machine.run([] {
    EXPECT_GT(user::fork([] { user::exit(0x1FF); }), 0);
    u32 status = 0;
    EXPECT_GT(user::wait(&status), 0);
    EXPECT_EQ(status, 0xFF00u);
  });
}

// Its sleep was interrupted by what ended it: the next program's sleep is its own.
TEST(exit, process_1_takes_no_sleep_with_it) {
  pc::machine machine({.audit = false});
  bool begun = false;
  machine.run([&] {
    pc::set_init([&] {
      begun = true;
      EXPECT_EQ(current->interrupted_call, 0u);
      EXPECT_EQ(current->sleep_end, never);
      pc::end_test();
    });
    user::fork([] {
      user::sleep_ms(100);
      force_signal(*find_process(1), abi::sigkill);
      pause_for_ever();
    });
    const u32 time = user::room(8);
    user::put(time, abi::timespec{10, 0});
    user::call(call::nanosleep, time, 0);
  });
  EXPECT_TRUE(begun);
}

TEST(exit, process_1_is_begun_again) {
  pc::machine machine({.audit = false});
  u32 begun = 0;
  machine.run([&] {
    const i32 fd = user::open("/tmp");
    EXPECT_EQ(fd, 0);
    user::set_handler(abi::sigusr1, abi::sig_ign);
    user::block(signal_bit(abi::sigusr2));
    user::fork([] { pause_for_ever(); });
    pc::set_init([&] {
      ++begun;
      EXPECT_EQ(user::pid(), 1);
      EXPECT_EQ(current->filp[0], nullptr);
      EXPECT_EQ(current->blocked, 0u);
      EXPECT_EQ(current->sigaction[abi::sigusr1 - 1].handler, abi::sig_dfl);
      user::kill(-1, abi::sigkill);
      EXPECT_GT(user::wait(), 0) << "its children are still its children";
      if (begun == 1) user::exit(1);
      pc::end_test();
    });
    user::fork([] { pause_for_ever(); });
    user::exit(0);
  });
  EXPECT_EQ(begun, 2u);
}

// --- kill ---

TEST(kill, reaches_whom_it_names) {
  pc::machine machine;
  machine.run([] {
    const int single = user::fork(pause_for_ever);
    const int leader = user::fork(pause_for_ever);
    user::call(call::setpgid, static_cast<u32>(leader), 0);
    const int member = user::fork(pause_for_ever);
    user::call(call::setpgid, static_cast<u32>(member), static_cast<u32>(leader));
    EXPECT_EQ(user::kill(single, 0), 0);
    EXPECT_EQ(user::kill(-leader, 0), 0);
    EXPECT_EQ(user::kill(-leader, abi::sigterm), 0);
    EXPECT_EQ((std::set<int>{user::wait(), user::wait()}), (std::set<int>{leader, member}));
    EXPECT_EQ(user::kill(-leader, 0), minus(error::esrch));
    EXPECT_EQ(user::kill(leader, 0), minus(error::esrch));
    EXPECT_EQ(user::kill(single, 0), 0) << "another group";
    EXPECT_EQ(user::kill(-1, abi::sigterm), 0);
    EXPECT_EQ(user::wait(), single);
    EXPECT_EQ(user::kill(-1, 0), minus(error::esrch));
  });
}

TEST(kill, bad_numbers) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::kill(1, abi::nsig), minus(error::einval));
    EXPECT_EQ(user::kill(1, abi::nsig - 1), 0);
    EXPECT_EQ(user::kill(1, ~0u), minus(error::einval));
    EXPECT_EQ(user::kill(30'001, 0), minus(error::esrch));
    EXPECT_EQ(user::kill(INT32_MIN, 0), minus(error::esrch));
    EXPECT_EQ(user::kill(INT32_MIN, abi::sigkill), minus(error::esrch));
    EXPECT_EQ(user::kill(INT32_MAX, abi::sigkill), minus(error::esrch));
  });
}

TEST(kill, its_own_group) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }));
    const int outside = user::fork([] {
      user::call(call::setpgid, 0, 0);
      pause_for_ever();
    });
    const int inside = user::fork(pause_for_ever);
    user::sleep_ms(20);
    EXPECT_EQ(user::kill(0, abi::sigusr1), 0);
    EXPECT_EQ(handled, 1u);
    user::sleep_ms(20);
    EXPECT_EQ(user::waitpid(outside, nullptr, abi::wnohang), 0);
    EXPECT_EQ(handled, 2u) << "the child in the group has the handler, too";
    user::kill(inside, abi::sigkill);
    user::kill(outside, abi::sigkill);
    EXPECT_GT(user::wait(), 0);
    EXPECT_GT(user::wait(), 0);
  });
}

}  // namespace
