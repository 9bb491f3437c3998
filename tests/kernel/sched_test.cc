// The scheduler: which task runs, sleeps and wake-ups, task slots and stacks.
#include "kernel/sched.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/user_memory.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

// What a kernel task of the test does: its argument is a std::function.
void run_function(void* body) { (*static_cast<std::function<void()>*>(body))(); }
void start(const char* name, std::function<void()>& body) {
  ASSERT_TRUE(kernel_task(name, run_function, &body));
}
u32 count_tasks() {
  return static_cast<u32>(std::ranges::count_if(task, [](const auto* t) { return t != nullptr; }));
}

TEST(sched, every_sleeper_of_a_queue_is_woken_the_latest_first) {
  pc::machine machine;
  machine.run([] {
    wait_queue queue;
    std::string order;
    std::array<std::function<void()>, 3> sleepers;
    for (char name = 'a'; name <= 'c'; ++name) {
      auto& sleeper = sleepers[static_cast<size_t>(name - 'a')];
      sleeper = [&queue, &order, name] {
        EXPECT_EQ(sleep_on(queue), wake_reason::woken);
        order += name;
      };
      start("sleeper", sleeper);
      sleep_for(10_ms);
    }
    EXPECT_EQ(order, "");
    std::vector<int> asleep;
    for (const task_struct* t : task)
      if (t && t->sleeping_on == &queue) asleep.push_back(t->pid);
    EXPECT_EQ(asleep.size(), 3u);
    wake_up(queue);
    EXPECT_TRUE(queue.waiters.empty());
    sleep_for(10_ms);
    EXPECT_EQ(order.size(), 3u);
    wake_up(queue);
  });
}

TEST(sched, a_deadline_ends_a_sleep_and_leaves_the_queue) {
  pc::machine machine;
  machine.run([] {
    wait_queue queue;
    const instant begin = now();
    EXPECT_EQ(sleep_on(queue, begin + 100_ms), wake_reason::timed_out);
    EXPECT_EQ((now() - begin).ns, duration{100_ms}.ns);
    EXPECT_TRUE(queue.waiters.empty());
    EXPECT_EQ(current->sleeping_on, nullptr);
    EXPECT_EQ(current->wake_at, never);
    EXPECT_EQ(sleep_on(queue, now()), wake_reason::timed_out) << "a deadline that has passed";
    EXPECT_EQ(sleep_on(queue, begin), wake_reason::timed_out);
    EXPECT_EQ((now() - begin).ns, duration{100_ms}.ns) << "without a sleep";
  });
}

// One sleeper has a deadline, its neighbour has none and stays in the queue.
TEST(sched, a_deadline_ends_one_sleep_only) {
  pc::machine machine;
  machine.run([] {
    wait_queue queue;
    bool woken = false;
    std::function<void()> other = [&] {
      EXPECT_EQ(sleep_on(queue), wake_reason::woken);
      woken = true;
    };
    start("other", other);
    sleep_for(10_ms);
    EXPECT_EQ(sleep_on(queue, now() + 50_ms), wake_reason::timed_out);
    sleep_for(50_ms);
    EXPECT_FALSE(woken);
    wake_up(queue);
    sleep_for(10_ms);
    EXPECT_TRUE(woken);
  });
}

TEST(sched, a_wake_up_counts_although_the_deadline_has_just_passed) {
  pc::machine machine;
  machine.run([] {
    wait_queue queue;
    wake_reason reason{};
    std::function<void()> body = [&] { reason = sleep_on(queue, now() + 20_ms); };
    start("sleeper", body);
    yield();
    pc::tick(2);
    wake_up(queue);
    sleep_for(10_ms);
    EXPECT_EQ(reason, wake_reason::woken);
  });
}

TEST(sched, signals_end_interruptible_sleeps_only) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      user::set_handler(abi::sigusr1, user::handler([](u32) {}));
      wait_queue queue;
      EXPECT_EQ(interruptible_sleep_on(queue, now() + 1_s), wake_reason::signalled);
      EXPECT_EQ(interruptible_sleep_on(queue, now() + 1_s), wake_reason::signalled)
          << "a signal that was there before";
      const instant begin = now();
      EXPECT_EQ(sleep_on(queue, now() + 1_s), wake_reason::timed_out);
      EXPECT_EQ((now() - begin).ns, duration{1_s}.ns);
      EXPECT_TRUE(signal_pending());
      EXPECT_TRUE(queue.waiters.empty());
    });
    user::sleep_ms(50);
    user::kill(child, abi::sigusr1);
    EXPECT_EQ(user::wait(), child);
  });
}

TEST(sched, sleep_for_is_not_ended_by_signals_or_wake_ups) {
  pc::machine machine;
  machine.run([] {
    const instant begin = now();
    const int child = user::fork([=] {
      user::set_handler(abi::sigusr1, user::handler([](u32) {}));
      sleep_for(200_ms);
      EXPECT_EQ((now() - begin).ns, duration{200_ms}.ns);
    });
    user::sleep_ms(50);
    user::kill(child, abi::sigusr1);
    EXPECT_EQ(user::wait(), child);
  });
}

TEST(sched, the_processor_is_shared_by_programs_that_compute) {
  pc::machine machine;
  machine.run([] {
    std::array<u32, 3> done{};
    bool enough = false;
    for (u32 i = 0; i < 3; ++i)
      user::fork([&done, &enough, i] {
        while (!enough) {
          user::compute(1);
          ++done[i];
        }
      });
    user::sleep_ms(3000);
    for (const u32 each : done) EXPECT_NEAR(each, 100, 20);
    enough = true;
    for (int i = 0; i < 3; ++i) EXPECT_GT(user::wait(), 0);
  });
}

// A task that slept comes before one that computes, at the next return to user mode.
TEST(sched, a_sleeper_interrupts_a_program_that_computes) {
  pc::machine machine;
  machine.run([] {
    u32 computed = 0, when_woken = 0;
    const int sleeper = user::fork([&] {
      user::sleep_ms(370);
      when_woken = computed;
    });
    const int computer = user::fork([&] {
      for (; computed < 60; ++computed) user::compute(1);
    });
    EXPECT_EQ(user::waitpid(sleeper), sleeper);
    EXPECT_NEAR(when_woken, 37, 1) << "in the middle of a time slice";
    EXPECT_EQ(user::waitpid(computer), computer);
  });
}

TEST(sched, ticks_are_counted_where_they_fall) {
  pc::machine machine;
  machine.run([] {
    const u32 user_before = current->user_ticks, system_before = current->system_ticks;
    const u32 jiffies_before = jiffies;
    user::compute(5);
    pc::tick(3);
    EXPECT_EQ(current->user_ticks - user_before, 5u);
    EXPECT_EQ(current->system_ticks - system_before, 3u);
    EXPECT_EQ(jiffies - jiffies_before, 8u);
  });
}

// A task that gives the processor up comes behind every ready task, also one with a single tick
// left.
TEST(sched, yield_lets_every_ready_task_run) {
  pc::machine machine;
  machine.run([] {
    u32 ran = 0;
    std::array<std::function<void()>, 3> bodies;
    for (auto& body : bodies) {
      body = [&] { ++ran; };
      start("other", body);
    }
    for (task_struct* t : task)
      if (t && t->kernel_argument >= &bodies.front() && t->kernel_argument <= &bodies.back())
        t->counter = 1;
    yield();
    EXPECT_EQ(ran, 3u);
    sleep_for(20_ms);
  });
}

TEST(sched, task_0_may_not_sleep) {
  pc::machine machine({.expect_panic = true});
  machine.run_bare([] {
    wait_queue queue;
    sleep_on(queue);
  });
  EXPECT_EQ(machine.panic_message(), "task 0 may not sleep");
}

// --- task slots ---

TEST(sched, a_kernel_task_that_has_ended_leaves_nothing) {
  pc::machine machine;
  machine.run([] {
    const u32 tasks = count_tasks(), pages = free_page_count();
    u32 ran = 0;
    std::function<void()> body = [&] { ++ran; };
    for (int i = 0; i < 300; ++i) {
      start("short", body);
      if (i % 3 == 0) sleep_for(10_ms);
    }
    sleep_for(20_ms);
    EXPECT_EQ(ran, 300u);
    EXPECT_EQ(count_tasks(), tasks);
    EXPECT_EQ(free_page_count(), pages);
  });
}

TEST(sched, kernel_tasks_have_their_own_places) {
  pc::machine machine({.pages = 4096});
  machine.run([] {
    bool over = false;
    std::function<void()> body = [&] {
      while (!over) sleep_for(100_ms);
    };
    const u32 before = count_tasks();
    u32 made = 0;
    result<void> last;
    while ((last = kernel_task("task", run_function, &body))) ++made;
    EXPECT_EQ(last, fail(error::eagain));
    EXPECT_EQ(before - 1 + made, NR_KERNEL_TASKS) << "the idle task stands elsewhere";
    const int child = user::fork([] {});
    EXPECT_GT(child, 0) << "a process has a place";
    EXPECT_EQ(user::wait(), child);
    over = true;
    sleep_for(300_ms);
    EXPECT_EQ(count_tasks(), before);
  });
}

TEST(sched, no_memory_for_a_stack) {
  pc::machine machine;
  machine.run([] {
    const u32 tasks = count_tasks();
    std::function<void()> body = [] {};
    for (u32 pages = 0; pages < KERNEL_STACK_SIZE / PAGE_SIZE; ++pages) {
      pc::leave_free_pages(pages);
      EXPECT_EQ(create_task("t"), fail(error::enomem));
      EXPECT_EQ(kernel_task("t", run_function, &body), fail(error::enomem));
      EXPECT_EQ(free_page_count(), pages);
      pc::release_memory();
    }
    EXPECT_EQ(count_tasks(), tasks);
    start("t", body);
    sleep_for(10_ms);
  });
}

// Also when the call would not have slept this time.
TEST(sched, what_may_sleep_is_not_called_under_a_mask) {
  pc::machine machine({.expect_panic = true});
  machine.run([] {
    user::put<u32>(pc::DATA_START, 0);
    EXPECT_TRUE(user_span(user_ptr(pc::DATA_START), 4, false));
    const irq_guard masked;
    (void)user_span(user_ptr(pc::DATA_START), 4, false);
    ADD_FAILURE() << "no panic";
  });
  EXPECT_NE(machine.panic_message().find("interrupts_are_enabled"), std::string::npos);
}

TEST(sched, a_name_is_cut) {
  pc::machine machine;
  machine.run([] {
    task_struct* const t = *create_task("a_name_of_more_than_sixteen");
    EXPECT_STREQ(t->comm.data(), "a_name_of_more_");
    EXPECT_EQ(t->state, task_state::uninterruptible) << "it does not run before it is started";
    release(*t);
  });
}

// --- groups and sessions ---

i32 minus(error e) { return -to_errno(e); }
i32 setpgid(int pid, int group) {
  return user::call(call::setpgid, static_cast<u32>(pid), static_cast<u32>(group));
}

TEST(process, groups) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] { user::call(call::pause); });
    const int other = user::fork([] { user::call(call::pause); });
    EXPECT_EQ(setpgid(child, 0), 0);
    EXPECT_EQ(user::call(call::getpgid, static_cast<u32>(child)), child);
    EXPECT_EQ(setpgid(other, child), 0);
    EXPECT_EQ(user::call(call::getpgid, static_cast<u32>(other)), child);
    EXPECT_EQ(setpgid(other, 29'999), minus(error::eperm)) << "no such group";
    EXPECT_EQ(setpgid(other, -5), minus(error::einval));
    EXPECT_EQ(setpgid(other, other), 0);
    EXPECT_EQ(setpgid(29'999, 0), minus(error::esrch));
    EXPECT_EQ(setpgid(1, 0), minus(error::eperm)) << "the leader of a session";
    EXPECT_EQ(user::call(call::getpgid, 29'999), minus(error::esrch));
    EXPECT_EQ(user::call(call::getpgid, 0), 1);
    const int grandchild_maker =
        user::fork([&] { EXPECT_EQ(setpgid(child, 0), minus(error::esrch)) << "a sister"; });
    EXPECT_EQ(user::waitpid(grandchild_maker), grandchild_maker);
    user::kill(-1, abi::sigkill);
    EXPECT_GT(user::wait(), 0);
    EXPECT_GT(user::wait(), 0);
  });
}

TEST(process, sessions) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::call(call::setsid), minus(error::eperm)) << "it leads one already";
    const int child = user::fork([] {
      const int own = user::pid();
      EXPECT_EQ(user::call(call::setsid), own);
      EXPECT_EQ(user::call(call::getpgrp), own);
      EXPECT_EQ(current->session, own);
      EXPECT_EQ(user::call(call::setsid), minus(error::eperm));
      EXPECT_EQ(setpgid(0, 1), minus(error::eperm));
      const int member = user::fork([=] {
        EXPECT_EQ(setpgid(0, 1), minus(error::eperm)) << "a group of another session";
        EXPECT_EQ(setpgid(0, 0), 0);
        EXPECT_EQ(user::call(call::setsid), minus(error::eperm)) << "it leads a group";
        EXPECT_EQ(setpgid(0, own), 0);
        EXPECT_EQ(user::call(call::setsid), user::pid());
      });
      EXPECT_EQ(user::wait(), member);
      user::sleep_ms(50);
    });
    user::sleep_ms(20);
    EXPECT_EQ(setpgid(child, 1), minus(error::eperm)) << "it leads a session";
    EXPECT_EQ(user::wait(), child);
  });
}

// A group outlives its leader's stay in it: a new session must not get the number of that group.
TEST(process, a_session_does_not_get_the_number_of_a_group) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      setpgid(0, 0);
      const int member = user::fork([] { user::call(call::pause); });
      EXPECT_EQ(setpgid(0, 1), 0);
      EXPECT_EQ(user::call(call::setsid), minus(error::eperm));
      EXPECT_EQ(current->session, 1);
      user::kill(member, abi::sigkill);
      EXPECT_EQ(user::wait(), member);
      EXPECT_EQ(user::call(call::setsid), user::pid());
    });
    EXPECT_EQ(user::wait(), child);
  });
}

// --- brk ---

TEST(process, brk_returns_the_break_moved_or_not) {
  pc::machine machine;
  machine.run([] {
    const auto brk = [](u32 to) { return static_cast<u32>(user::call(call::brk, to)); };
    EXPECT_EQ(brk(0), pc::HEAP_START);
    EXPECT_EQ(brk(pc::HEAP_START - 1), pc::HEAP_START);
    EXPECT_EQ(brk(pc::HEAP_START + 1), pc::HEAP_START + 1);
    user::put<u8>(pc::HEAP_START + PAGE_SIZE - 1, 1);
    EXPECT_EQ(brk(0xFFFF'FFFF), pc::HEAP_START + 1);
    EXPECT_EQ(brk(0x8000'0000), pc::HEAP_START + 1);
    EXPECT_EQ(brk(pc::HEAP_START), pc::HEAP_START);
    const int child = user::fork([] { user::get<u8>(pc::HEAP_START); });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, abi::sigsegv);
  });
}

}  // namespace
