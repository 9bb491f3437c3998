// System calls about the machine: time, messages, its end; and calls that do not exist.
#include <gtest/gtest.h>

#include <string>

#include "hal/clock.h"
#include "hal/log.h"
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
void pause_for_ever() {
  for (;;) user::call(call::pause);
}

TEST(system_call, numbers_that_have_no_call) {
  pc::machine machine;
  machine.run([] {
    for (const u32 number : {0u, 16u, 17u, 266u, 1000u, 0x8000'0000u, ~0u})
      EXPECT_EQ(user::call(static_cast<call>(number)), minus(error::enosys)) << number;
    EXPECT_GE(user::call(call::clock_gettime, 1, user::room(8)), 0) << "the last one";
  });
}

TEST(system_call, time) {
  pc::machine machine;
  machine.run([] {
    const u32 to = user::room(16);
    const auto at = static_cast<u32>(user::call(call::time, to));
    EXPECT_EQ(user::get<u32>(to), at);
    EXPECT_EQ(at, current_time());
    EXPECT_EQ(user::call(call::time, pc::TEXT_START), minus(error::efault));
    user::put<u32>(to, at + 1000);
    EXPECT_EQ(user::call(call::stime, to), 0);
    EXPECT_EQ(static_cast<u32>(user::call(call::time, 0)), at + 1000);
    EXPECT_EQ(user::call(call::stime, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::clock_gettime, abi::clock_monotonic, to), 0);
    const auto first = user::get<abi::timespec>(to);
    user::sleep_ms(2340);
    EXPECT_EQ(user::call(call::clock_gettime, abi::clock_monotonic, to), 0);
    const auto second = user::get<abi::timespec>(to);
    const i64 passed = (second.seconds - first.seconds) * i64{1'000'000'000} + second.nanoseconds -
                       first.nanoseconds;
    EXPECT_EQ(passed, 2'340'000'000);
    EXPECT_EQ(user::call(call::clock_gettime, abi::clock_realtime, to), 0);
    EXPECT_EQ(user::get<u32>(to), current_time());
    EXPECT_EQ(user::call(call::clock_gettime, 2, to), minus(error::einval));
    EXPECT_EQ(user::call(call::clock_gettime, 1, 0), minus(error::efault));
  });
}

// The clock and the count of ticks are read at two moments: the date must come from one of them.
TEST(system_call, the_date_does_not_go_backwards_before_a_tick) {
  pc::machine machine;
  machine.run([] {
    const u32 to = user::room(8);
    user::sleep_ms(990);
    for (u32 tick = 0; tick < HZ; ++tick) {
      EXPECT_EQ(user::call(call::clock_gettime, abi::clock_realtime, to), 0);
      const auto before = user::get<abi::timespec>(to);
      const auto second = static_cast<u32>(user::call(call::time, 0));
      EXPECT_EQ(second, static_cast<u32>(before.seconds));
      pc::delay_tick();
      EXPECT_EQ(user::call(call::clock_gettime, abi::clock_realtime, to), 0);
      const auto after = user::get<abi::timespec>(to);
      EXPECT_EQ((after.seconds - before.seconds) * i64{1'000'000'000} + after.nanoseconds -
                    before.nanoseconds,
                1'000'000'000 / HZ);
      EXPECT_EQ(user::call(call::time, 0), after.seconds) << "the same clock";
      pc::tick();
    }
  });
}

TEST(system_call, syslog) {
  pc::machine machine;
  machine.run([] {
    printk("a message\n");
    const u32 to = user::room(4096);
    const i32 length = user::call(call::syslog, 3, to, 4096);
    ASSERT_GT(length, 0);
    std::string text(static_cast<size_t>(length), '\0');
    user::get_bytes(to, text.data(), text.size());
    EXPECT_TRUE(text.ends_with("] a message\n")) << text;
    EXPECT_EQ(user::call(call::syslog, 3, to, 5), 4) << "and a NUL";
    EXPECT_EQ((user::get<std::array<char, 5>>(to)), (std::array<char, 5>{'a', 'g', 'e', '\n', 0}));
    EXPECT_EQ(user::call(call::syslog, 3, to, 1), 0);
    EXPECT_EQ(user::call(call::syslog, 3, to, 0), minus(error::einval));
    EXPECT_EQ(user::call(call::syslog, 2, to, 5), minus(error::einval));
    EXPECT_EQ(user::call(call::syslog, 3, pc::TEXT_START, 5), minus(error::efault));
    EXPECT_EQ(user::call(call::syslog, 10, 0, 0), 32768);
  });
}

TEST(system_call, the_ring_of_messages_turns) {
  pc::machine machine;
  machine.run([] {
    for (int i = 0; i < 4000; ++i) printk("line %d\n", i);
    const u32 to = user::room(200);
    const i32 length = user::call(call::syslog, 3, to, 100);
    std::string text(static_cast<size_t>(length), '\0');
    user::get_bytes(to, text.data(), text.size());
    EXPECT_EQ(text.size(), 99u);
    EXPECT_TRUE(text.ends_with("line 3999\n")) << text;
    user::call(call::brk, pc::HEAP_START + 10 * PAGE_SIZE);
    EXPECT_EQ(user::call(call::syslog, 3, pc::HEAP_START, 10 * PAGE_SIZE), 32767);
    user::call(call::brk, pc::HEAP_START);
  });
}

// --- reboot ---

i32 reboot(u32 command, u32 flags = 0) {
  return user::call(call::reboot, abi::reboot_magic1, abi::reboot_magic2, command, flags);
}

TEST(reboot, needs_its_magic_numbers) {
  pc::machine machine;
  machine.run([] {
    const u32 off = abi::reboot_power_off;
    EXPECT_EQ(user::call(call::reboot, abi::reboot_magic1 + 1, abi::reboot_magic2, off),
              minus(error::einval));
    EXPECT_EQ(user::call(call::reboot, abi::reboot_magic1, abi::reboot_magic2 + 1, off),
              minus(error::einval));
    EXPECT_EQ(reboot(off, 2), minus(error::einval));
    EXPECT_EQ(reboot(off + 1), minus(error::einval));
  });
  EXPECT_EQ(machine.power(), "");
}

TEST(reboot, ends_the_machine_as_it_was_asked_to) {
  const std::pair<u32, const char*> ways[] = {
      {abi::reboot_power_off, "off"}, {abi::reboot_restart, "restart"}, {abi::reboot_halt, "halt"}};
  for (const auto& [command, how] : ways) {
    pc::machine machine({.audit = false});
    machine.run([command = command] { reboot(command); });
    EXPECT_EQ(machine.power(), how);
  }
}

// A child ends the machine: the others are ended first, politely and then by force; process 1 is
// stopped.
TEST(reboot, ends_all_processes_first) {
  pc::machine machine({.audit = false});
  std::string ended;
  int stubborn = 0, polite = 0;
  machine.run([&] {
    polite = user::fork([&] {
      user::set_handler(abi::sigterm, user::handler([&](u32) {
                          ended += "polite ";
                          user::exit(0);
                        }));
      pause_for_ever();
    });
    stubborn = user::fork([&] {
      user::set_handler(abi::sigterm, user::handler([&](u32) { ended += "stubborn "; }));
      pause_for_ever();
    });
    user::sleep_ms(20);
    user::fork([&] {
      user::open("/tmp");
      reboot(abi::reboot_power_off);
      ADD_FAILURE() << "reboot has returned";
    });
    for (;;) {
      user::wait();
      EXPECT_EQ(ended, "") << "process 1 ran while the machine was being ended";
    }
  });
  EXPECT_EQ(machine.power(), "off");
  EXPECT_TRUE(ended == "polite stubborn " || ended == "stubborn polite ") << ended;
  EXPECT_EQ(find_process(1)->state, task_state::stopped);
  for (const int pid : {stubborn, polite}) {
    const task_struct* const t = find_process(pid);
    EXPECT_TRUE(!t || t->state == task_state::zombie);
  }
  EXPECT_NE(pc::console().find("Power off."), std::string::npos);
}

}  // namespace
