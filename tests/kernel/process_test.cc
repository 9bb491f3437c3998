// Processes among themselves: groups, ends and signals between relatives, time and its accounts.
// Tables of what POSIX promises at the edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "hal/clock.h"
#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }
bool console_has(const std::string& text) { return pc::console().find(text) != std::string::npos; }
void pause_for_ever() {
  for (;;) user::call(call::pause);
}
i32 setpgid(int pid, int group) {
  return user::call(call::setpgid, static_cast<u32>(pid), static_cast<u32>(group));
}
bool is_stopped(int pid) { return find_process(pid)->state == task_state::stopped; }
void end_all_children() {
  user::kill(-1, abi::sigkill);
  while (user::wait() > 0) {
  }
}

// --- groups ---

TEST(process, a_child_that_runs_another_program_is_not_moved) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", 0x0804'8200, [] {
      EXPECT_EQ(setpgid(0, 0), 0) << "it may still move itself";
      pause_for_ever();
    });
    const int child = user::fork([] { user::execve("/bin/p"); });
    user::sleep_ms(20);
    EXPECT_EQ(setpgid(child, child), minus(error::eacces));
    EXPECT_EQ(setpgid(child, 1), minus(error::eacces));
    end_all_children();
    user::call(call::unlink, user::text("/bin/p"));
  });
}

TEST(process, a_group_of_a_zombie_alone_is_still_a_group) {
  pc::machine machine;
  machine.run([] {
    const int zombie = user::fork([] { setpgid(0, 0); });
    const int other = user::fork(pause_for_ever);
    user::sleep_ms(20);
    EXPECT_EQ(setpgid(other, zombie), 0);
    EXPECT_EQ(user::call(call::getpgid, static_cast<u32>(other)), zombie);
    EXPECT_EQ(user::kill(zombie, 0), 0) << "a zombie can be named";
    EXPECT_EQ(user::kill(zombie, abi::sigkill), 0);
    end_all_children();
  });
}

TEST(process, a_task_of_the_kernel_gets_no_signal) {
  pc::machine machine;
  machine.run([] {
    const task_struct* kernel_task = nullptr;
    for (const task_struct* t : task)
      if (t && !t->space && t->pid > 1) kernel_task = t;
    ASSERT_TRUE(kernel_task);
    user::kill(kernel_task->pid, abi::sigkill);
    user::kill(-1, abi::sigkill);
    EXPECT_EQ(kernel_task->signal, 0u);
    EXPECT_EQ(user::kill(-kernel_task->pgrp - 30'000, abi::sigkill), minus(error::esrch));
  });
}

TEST(process, all_processes_are_all_but_process_1_and_the_caller) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }));
    const int other = user::fork(pause_for_ever);
    const int caller = user::fork([] {
      EXPECT_EQ(user::kill(-1, abi::sigusr1), 0);
      user::exit(3);
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(caller, &status), caller);
    user::sleep_ms(20);
    EXPECT_EQ(handled, 1u);
    user::kill(other, abi::sigkill);
    EXPECT_EQ(user::waitpid(other), other);
    const int alone = user::fork([] { user::exit(user::kill(-1, 0) == minus(error::esrch)); });
    EXPECT_EQ(user::waitpid(alone, &status), alone);
    EXPECT_EQ(status, 1u << 8);
  });
}

// --- SIGCHLD ---

// How often a father's handler runs at a child's stop and at its end.
TEST(process, sigchld_comes_at_stops_and_ends) {
  pc::machine machine;
  machine.run([] {
    for (const u32 flags : {0u, abi::sa_nocldstop}) {
      u32 handled = 0;
      user::set_handler(abi::sigchld, user::handler([&](u32) { ++handled; }),
                        flags | abi::sa_restart);
      const int child = user::fork([] {
        user::kill(user::pid(), abi::sigstop);
        user::exit(0);
      });
      EXPECT_EQ(user::waitpid(child, nullptr, abi::wuntraced), child) << "waitpid sees it anyway";
      user::sleep_ms(20);
      EXPECT_EQ(handled, flags ? 0u : 1u);
      user::kill(child, abi::sigcont);
      user::sleep_ms(20);
      EXPECT_EQ(handled, flags ? 1u : 2u);
      EXPECT_EQ(user::waitpid(child), child);
    }
    user::set_handler(abi::sigchld, abi::sig_dfl);
  });
}

// The father asks before the child stops.
TEST(process, a_waiting_father_without_sigchld_learns_of_a_stop) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigchld, user::handler([](u32) {}), abi::sa_nocldstop);
    const int child = user::fork([] {
      user::sleep_ms(30);
      user::kill(user::pid(), abi::sigstop);
    });
    const instant begin = now();
    EXPECT_EQ(user::waitpid(child, nullptr, abi::wuntraced), child);
    EXPECT_LT((now() - begin).ns, duration{1_s}.ns);
    end_all_children();
  });
}

TEST(process, children_of_a_father_that_ignores_sigchld_leave_nothing_to_it) {
  pc::machine machine;
  machine.run([] {
    int grandchild = 0, early = 0;
    const int father = user::fork([&] {
      user::set_handler(abi::sigchld, abi::sig_ign);
      early = user::fork([] {});
      user::sleep_ms(20);
      EXPECT_EQ(user::wait(), minus(error::echild));
      grandchild = user::fork([] {
        user::sleep_ms(50);
        user::exit(5);
      });
      const instant begin = now();
      EXPECT_EQ(user::wait(), minus(error::echild)) << "it waits until the last one has ended";
      EXPECT_GE((now() - begin).ns, duration{40_ms}.ns);
      EXPECT_LT((now() - begin).ns, duration{100_ms}.ns);
      user::sleep_ms(100);
    });
    u32 status = 0;
    EXPECT_EQ(user::wait(), early) << "process 1 gets them";
    EXPECT_EQ(user::wait(&status), grandchild);
    EXPECT_EQ(status, 5u << 8);
    EXPECT_EQ(user::wait(), father);
  });
}

TEST(process, process_1_gets_its_children_also_when_it_ignores_sigchld) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigchld, abi::sig_ign);
    const int child = user::fork([] { user::exit(6); });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, 6u << 8);
    user::set_handler(abi::sigchld, abi::sig_dfl);
  });
}

// --- orphaned groups (POSIX 3.245, exit) ---

// A stopped process in a group of its own, in the session of a shell. `last` runs in the shell just
// before it ends. Returns whether the stopped process was told (SIGHUP) and continued.
bool told_at_the_shells_end(
    const std::function<void(int stopped)>& last, const std::function<void()>& first = [] {}) {
  u32 told = 0;
  int stopped = 0;
  const int shell = user::fork([&] {
    user::call(call::setsid);
    stopped = user::fork([&] {
      setpgid(0, 0);
      user::set_handler(abi::sighup, user::handler([&](u32) { ++told; }));
      first();
      user::kill(user::pid(), abi::sigstop);
    });
    user::sleep_ms(30);
    last(stopped);
  });
  EXPECT_EQ(user::waitpid(shell), shell);
  user::sleep_ms(50);
  const bool ran = !find_process(stopped) || !is_stopped(stopped);
  EXPECT_EQ(ran, told > 0);
  user::kill(-1, abi::sigkill);
  while (user::wait() > 0) {
  }
  return ran;
}

TEST(process, a_stopped_group_is_told_when_its_last_link_to_the_session_ends) {
  pc::machine machine;
  machine.run([] {
    EXPECT_TRUE(told_at_the_shells_end([](int) {}));
    EXPECT_FALSE(told_at_the_shells_end([](int stopped) {
      const int member = user::fork([] { user::sleep_ms(400); });
      const int link = user::fork([] { user::sleep_ms(300); });
      (void)link;
      EXPECT_EQ(setpgid(member, stopped), 0);
      (void)member;
      // A second link: a shell of the same session that stays, and is a member's father.
      const int second = user::fork([=] {
        const int its = user::fork([] { user::sleep_ms(500); });
        EXPECT_EQ(setpgid(its, stopped), 0);
        user::sleep_ms(500);
      });
      (void)second;
      user::sleep_ms(20);
    })) << "another father in the session can continue it";
    EXPECT_TRUE(told_at_the_shells_end([](int stopped) {
      const int other = user::fork([=] {
        setpgid(0, 0);
        user::sleep_ms(500);
      });
      (void)other, (void)stopped;
      user::sleep_ms(10);
    })) << "a process in the session that is no father of a member does not count";
    EXPECT_TRUE(told_at_the_shells_end([](int stopped) {
      const int father = user::fork([=] {
        setpgid(0, stopped);
        const int its = user::fork([] { user::sleep_ms(500); });
        (void)its;
        user::sleep_ms(500);
      });
      (void)father;
      user::sleep_ms(20);
    })) << "a father inside of the group does not count";
    EXPECT_TRUE(told_at_the_shells_end([](int stopped) {
      user::fork([=] {
        const int its = user::fork([] {});
        EXPECT_EQ(setpgid(its, stopped), 0);
        user::sleep_ms(500);
      });
      user::sleep_ms(30);
    })) << "the father of a zombie does not count";
  });
}

TEST(process, a_group_that_runs_is_not_told) {
  pc::machine machine;
  machine.run([] {
    u32 told = 0;
    const int shell = user::fork([&] {
      user::call(call::setsid);
      user::fork([&] {
        setpgid(0, 0);
        user::set_handler(abi::sighup, user::handler([&](u32) { ++told; }));
        user::sleep_ms(100);
      });
      user::fork([] { user::kill(user::pid(), abi::sigstop); });
      user::sleep_ms(30);
    });
    EXPECT_EQ(user::waitpid(shell), shell);
    user::sleep_ms(150);
    EXPECT_EQ(told, 0u);
    end_all_children();
  });
}

// --- process 1 ---

TEST(process, process_1_begins_again_without_signals_and_alarm) {
  pc::machine machine({.audit = false});
  bool ran = false;
  machine.run([&] {
    pc::set_init([&] {
      ran = true;
      EXPECT_EQ(current->signal, 0u);
      EXPECT_EQ(user::call(call::alarm, 0), 0);
      EXPECT_EQ(user::call(call::getppid), 0);
      pc::end_test();
    });
    user::block(~0u);
    user::kill(1, abi::sighup);
    user::kill(1, abi::sigusr1);
    user::call(call::alarm, 100);
    user::exit(0);
  });
  EXPECT_TRUE(ran);
}

// --- calls that a signal interrupts ---

// Two handlers run before the read goes on; it is begun again once.
TEST(process, a_call_that_two_signals_interrupt_is_begun_again) {
  pc::machine machine;
  machine.run([] {
    for (const bool restart : {true, false}) {
      const u32 ends = user::room(8);
      user::call(call::pipe, ends);
      const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
      u32 handled = 0;
      const int reader = user::fork([&] {
        const u32 handler = user::handler([&](u32) { ++handled; });
        for (const u32 signal : {abi::sighup, abi::sigusr1})
          user::set_handler(signal, handler, restart ? abi::sa_restart : 0);
        const u32 buffer = user::room(8);
        const i32 got = user::call(call::read, static_cast<u32>(from), buffer, 8);
        EXPECT_EQ(got, restart ? 2 : minus(error::eintr));
        EXPECT_EQ(handled, 2u);
      });
      user::sleep_ms(20);
      user::kill(reader, abi::sighup);
      user::kill(reader, abi::sigusr1);
      user::sleep_ms(20);
      EXPECT_EQ(user::write(to, "ab"), 2);
      EXPECT_EQ(user::wait(), reader);
      user::close(from);
      user::close(to);
    }
  });
}

TEST(process, the_console_tells_of_a_bad_stack) {
  pc::machine machine;
  machine.run([] {
    const int no_stack = user::fork([] {
      user::set_handler(abi::sigusr1, user::handler([](u32) {}));
      pc::registers().esp = 64;
      user::kill(user::pid(), abi::sigusr1);
    });
    EXPECT_EQ(user::wait(), no_stack);
    EXPECT_TRUE(console_has("init[" + std::to_string(no_stack) + "]: no stack for signal 10\r\n"));
    const int no_frame = user::fork([] {
      pc::registers().esp = 64;
      user::call(call::sigreturn);
    });
    EXPECT_EQ(user::wait(), no_frame);
    EXPECT_TRUE(console_has("init[" + std::to_string(no_frame) + "]: bad signal frame\r\n"));
  });
}

// --- time ---

TEST(process, an_alarm_is_told_in_whole_seconds_and_never_as_none) {
  pc::machine machine;
  machine.run([] {
    const std::pair<duration, i32> rows[] = {
        {duration{-1}, 1}, {duration{0}, 1},       {duration{1}, 1},       {999_ms, 1},
        {1_s, 1},          {1_s + duration{1}, 2}, {2_s - duration{1}, 2}, {100_s, 100}};
    for (const auto& [left, told] : rows) {
      current->alarm = now() + left;
      EXPECT_EQ(user::call(call::alarm, 0), told) << left.ns;
      EXPECT_EQ(current->alarm, never);
    }
    user::call(call::alarm, 7);
    EXPECT_EQ(current->alarm, now() + 7_s);
    u32 rings = 0;
    user::set_handler(abi::sigalrm, user::handler([&](u32) { ++rings; }));
    user::call(call::alarm, 1);
    user::compute(99);
    EXPECT_EQ(rings, 0u);
    user::compute(1);
    EXPECT_EQ(rings, 1u) << "exactly when it is due";
  });
}

TEST(process, times_of_a_process_and_its_children) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      const int grandchild = user::fork([] {
        user::compute(5);
        pc::tick(7);
      });
      EXPECT_EQ(user::wait(), grandchild);
      user::compute(11);
      pc::tick(13);
    });
    EXPECT_EQ(user::wait(), child);
    user::compute(3);
    pc::tick(2);
    const u32 to = user::room(16);
    const u32 at = static_cast<u32>(user::call(call::times, to));
    EXPECT_EQ(at, jiffies);
    EXPECT_EQ((user::get<std::array<u32, 4>>(to)),
              (std::array<u32, 4>{current->user_ticks, current->system_ticks, 16, 20}));
    EXPECT_GE(current->system_ticks, 2u);
    pc::tick();
    EXPECT_EQ(static_cast<u32>(user::call(call::times, 0)), at + 1);
    EXPECT_EQ(user::call(call::times, pc::TEXT_START), minus(error::efault));
  });
}

TEST(process, sleeps_and_clocks) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigalrm, user::handler([](u32) {}));
    const u32 time = user::room(8), to = user::room(8);
    user::put(time, abi::timespec{3, 5'000'000});
    const instant begin = now();
    user::call(call::alarm, 1);
    EXPECT_EQ(user::call(call::nanosleep, time, 0), minus(error::eintr)) << "nothing to tell";
    EXPECT_EQ((now() - begin).ns, duration{1_s}.ns);
    user::call(call::alarm, 1);
    EXPECT_EQ(user::call(call::nanosleep, time, pc::TEXT_START), minus(error::efault));
    user::call(call::alarm, 1);
    EXPECT_EQ(user::call(call::nanosleep, time, to), minus(error::eintr));
    EXPECT_EQ(user::get<abi::timespec>(to).seconds, 2);
    EXPECT_EQ(user::get<abi::timespec>(to).nanoseconds, 5'000'000);
    user::put(time, abi::timespec{1, 999'999'999});
    const instant second = now();
    EXPECT_EQ(user::call(call::nanosleep, time, to), 0);
    EXPECT_EQ((now() - second).ns, duration{2_s}.ns) << "to the next tick";

    for (const u32 clock : {abi::clock_monotonic, abi::clock_realtime}) {
      EXPECT_EQ(user::call(call::clock_gettime, clock, to), 0);
      const auto told = user::get<abi::timespec>(to);
      EXPECT_EQ(told.nanoseconds, now().ns % 1'000'000'000);
      EXPECT_EQ(told.seconds, clock == abi::clock_monotonic ? now().ns / 1'000'000'000
                                                            : static_cast<i64>(current_time()));
      EXPECT_EQ(user::call(call::clock_gettime, clock, pc::TEXT_START), minus(error::efault));
    }
  });
}

// --- the scheduler's accounts ---

// A sleeper gathers ticks, but fewer than twice its priority (the book's counter / 2 + priority).
TEST(process, a_long_sleeper_has_almost_twice_its_share) {
  pc::machine machine;
  machine.run([] {
    const int sleeper = user::fork(pause_for_ever);
    user::sleep_ms(20);
    const int computer = user::fork([] { user::compute(400); });
    EXPECT_EQ(user::waitpid(computer), computer);
    const task_struct& t = *find_process(sleeper);
    EXPECT_EQ(t.counter, 2 * t.priority - 1);
    end_all_children();
  });
}

// A program that computes runs a whole slice of its priority's ticks at a time.
TEST(process, a_time_slice_has_fifteen_ticks) {
  pc::machine machine;
  machine.run([] {
    std::string order;
    for (const char name : {'a', 'b'})
      user::fork([&order, name] {
        for (int i = 0; i < 90; ++i) {
          user::compute(1);
          order += name;
        }
      });
    user::sleep_ms(2500);
    ASSERT_EQ(order.size(), 180u);
    std::vector<u32> slices;
    for (size_t at = 0, end; at < order.size(); at = end) {
      end = std::min(order.find_first_not_of(order[at], at), order.size());
      slices.push_back(static_cast<u32>(end - at));
    }
    ASSERT_GE(slices.size(), 10u) << order;
    for (size_t i = 2; i < 10; ++i) EXPECT_EQ(slices[i], 15u) << order;
    end_all_children();
  });
}

// --- memory of a program, as calls see it ---

TEST(process, a_text_may_stand_in_read_only_memory) {
  pc::machine machine;
  machine.run([] {
    // The file begins with 0x7F "ELF" and ends that text at the eighth byte.
    EXPECT_EQ(user::call(call::access, pc::TEXT_START, 0), minus(error::enoent));
  });
}

}  // namespace
