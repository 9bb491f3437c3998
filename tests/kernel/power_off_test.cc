// The end of the machine (kernel/sys_reboot.cc): what is written, which programs end and in which
// time, and that the machine stays on when blocks would be lost. Judged by the bytes of the stick.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "hal/clock.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/fs/minix_image.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }
bool console_has(const std::string& text) { return pc::console().find(text) != std::string::npos; }
void pause_for_ever() {
  for (;;) user::call(call::pause);
}
i32 reboot(u32 command, u32 flags = 0) {
  return user::call(call::reboot, abi::reboot_magic1, abi::reboot_magic2, command, flags);
}
i32 power_off(u32 flags = 0) { return reboot(abi::reboot_power_off, flags); }

// Runs `program` on a machine with a stick at /mnt, without a look at what is left behind.
struct outcome {
  std::string power;
  std::vector<byte> content;
};
outcome on_a_machine(const std::function<void(pc::mounted_stick&)>& program) {
  pc::machine machine({.audit = false});
  pc::mounted_stick m;
  machine.run([&] {
    m.mount();
    program(m);
  });
  return {machine.power(), m.content()};
}

void expect_clean(const outcome& o, const std::string& text) {
  const sim::minix_image image(o.content);
  EXPECT_EQ(image.problem_text(), "");
  EXPECT_EQ(image.state() & 1, 1) << "the file system is not marked as unmounted";
  ASSERT_TRUE(image.has("/f"));
  EXPECT_EQ(image.files().at("/f").content, text);
}

void write_f(const char* text) {
  const i32 fd = user::open("/mnt/f", abi::o_creat | abi::o_wronly);
  EXPECT_GT(user::write(fd, text), 0);
  user::close(fd);
}

TEST(power_off, all_is_written_and_unmounted_although_the_caller_works_there) {
  for (const u32 flags : {0u, abi::reboot_force}) {
    const outcome o = on_a_machine([=](pc::mounted_stick&) {
      user::fork([=] {
        const i32 fd = user::open("/mnt/f", abi::o_creat | abi::o_wronly);
        EXPECT_EQ(user::write(fd, "text"), 4);
        EXPECT_EQ(user::call(call::chdir, user::text("/mnt")), 0);
        power_off(flags);
        ADD_FAILURE() << "reboot has returned";
      });
      for (;;) user::wait();
    });
    EXPECT_EQ(o.power, "off");
    expect_clean(o, "text");
  }
}

TEST(power_off, every_way_writes_and_says_what_it_does) {
  const std::tuple<u32, const char*, const char*> ways[] = {
      {abi::reboot_power_off, "off", "Power off.\r\n"},
      {abi::reboot_restart, "restart", "Restarting.\r\n"},
      {abi::reboot_halt, "halt", "Halted: it is safe to turn the machine off.\r\n"}};
  for (const auto& [command, how, message] : ways) {
    const outcome o = on_a_machine([command = command](pc::mounted_stick&) {
      write_f("x");
      reboot(command);
    });
    EXPECT_EQ(o.power, how);
    expect_clean(o, "x");
    EXPECT_TRUE(pc::console().ends_with(message)) << pc::console();
  }
}

// The machine's end takes no longer than the programs: process 1 and the caller are not waited for.
TEST(power_off, waits_only_while_others_live) {
  for (const bool by_process_1 : {false, true}) {
    pc::machine machine({.audit = false});
    instant begin{};
    machine.run([&] {
      user::fork(pause_for_ever);
      user::sleep_ms(20);
      const auto end = [&] {
        begin = now();
        power_off();
      };
      if (by_process_1) end();
      user::fork(end);
      user::sleep_ms(10'000);
    });
    EXPECT_EQ(machine.power(), "off");
    EXPECT_LT((now() - begin).ns, duration{100_ms}.ns);
  }
}

// A process that cannot end is given 200 ms for each of the two signals, no more and no less.
TEST(power_off, a_process_that_cannot_end_is_not_waited_for) {
  pc::machine machine({.audit = false});
  instant begin{};
  machine.run([&] {
    user::fork([] { sleep_for(100_s); });
    user::fork([&] {
      user::set_handler(abi::sigterm, user::handler([](u32) {}));
      pause_for_ever();
    });
    user::sleep_ms(20);
    begin = now();
    power_off();
  });
  EXPECT_EQ(machine.power(), "off");
  EXPECT_EQ((now() - begin).ns, duration{400_ms}.ns);
}

// No signal that a program sends stops the machine's end halfway.
// A program that runs from the stick was removed while it ran. When the machine ends the program,
// its file is freed, which takes a while.
TEST(power_off, waits_for_the_end_of_a_process_that_frees_its_program) {
  const outcome o = on_a_machine([](pc::mounted_stick& m) {
    user::install("/mnt/program", pc::ENTRY + 0x40, pause_for_ever);
    user::fork([] { user::execve("/mnt/program", {"program"}); });
    user::sleep_ms(100);
    EXPECT_EQ(user::call(call::unlink, user::text("/mnt/program")), 0);
    write_f("text");
    EXPECT_EQ(user::call(call::sync), 0);
    m.push_out_of_cache();
    m.device().slow_down(30_ms);
    power_off();
  });
  EXPECT_EQ(o.power, "off");
  expect_clean(o, "text");
}

TEST(power_off, the_caller_is_not_interrupted_by_any_signal) {
  for (u32 signal = 1; signal < abi::nsig; ++signal) {
    if (signal == abi::sigkill || signal == abi::sigstop) continue;
    pc::machine machine({.audit = false});
    machine.run([=] {
      int caller = 0;
      user::fork([&] {
        user::set_handler(abi::sigterm, user::handler([&](u32) {
                            user::kill(caller, signal);
                            user::exit(0);
                          }));
        pause_for_ever();
      });
      user::sleep_ms(20);
      caller = user::fork([=] {
        user::set_handler(signal, user::handler([](u32) { ADD_FAILURE() << "it was delivered"; }));
        EXPECT_EQ(power_off(), 0);
      });
      user::sleep_ms(10'000);
    });
    EXPECT_EQ(machine.power(), "off") << signal;
  }
}

// --- blocks that wait for a stick ---

void pull_with_unwritten_blocks(pc::mounted_stick& m) {
  write_f("new");
  m.pull();
  user::sleep_ms(50);
}

TEST(power_off, is_refused_while_a_stick_is_missed_and_changes_nothing) {
  for (const u32 command : {abi::reboot_power_off, abi::reboot_restart, abi::reboot_halt}) {
    const outcome o = on_a_machine([command](pc::mounted_stick& m) {
      const int other = user::fork(pause_for_ever);
      const i32 fd = user::open("/tmp");
      pull_with_unwritten_blocks(m);
      EXPECT_EQ(reboot(command), minus(error::ebusy));
      EXPECT_EQ(user::kill(other, 0), 0) << "no program was ended";
      EXPECT_EQ(user::close(fd), 0);
      EXPECT_EQ(current->blocked, 0u);
      const int child = user::fork([command] {
        EXPECT_EQ(reboot(command), minus(error::ebusy));
        user::exit(4);
      });
      u32 status = 0;
      EXPECT_EQ(user::waitpid(child, &status), child) << "process 1 was not stopped";
      EXPECT_EQ(status, 4u << 8);
      EXPECT_FALSE(console_has("Plug the stick in")) << "that is said when programs were ended";
      pc::end_test();
    });
    EXPECT_EQ(o.power, "");
  }
}

TEST(power_off, by_force_gives_the_blocks_up_and_says_so) {
  const outcome o = on_a_machine([](pc::mounted_stick& m) {
    pull_with_unwritten_blocks(m);
    power_off(abi::reboot_force);
    ADD_FAILURE() << "reboot has returned";
  });
  EXPECT_EQ(o.power, "off");
  EXPECT_TRUE(console_has("LOST")) << pc::console();
}

// The stick is pulled after the first look, by a program that is being ended.
void pull_at_sigterm(pc::mounted_stick& m) {
  user::fork([&] {
    user::set_handler(abi::sigterm, user::handler([&](u32) {
                        pull_with_unwritten_blocks(m);
                        user::exit(0);
                      }));
    pause_for_ever();
  });
  user::sleep_ms(20);
}

TEST(power_off, a_late_refusal_of_a_child_begins_process_1_again) {
  u32 begun = 0;
  i32 answer = 0, open_answer = 0;
  const outcome o = on_a_machine([&](pc::mounted_stick& m) {
    pull_at_sigterm(m);
    pc::set_init([&] {
      ++begun;
      user::sleep_ms(1000);
      EXPECT_EQ(answer, minus(error::ebusy));
      EXPECT_EQ(open_answer, minus(error::ebadf)) << "its files were closed";
      pc::end_test();
    });
    user::fork([&] {
      user::block(signal_bit(abi::sigusr1));
      const i32 fd = user::open("/tmp");
      user::call(call::chdir, user::text("/tmp"));
      answer = power_off();
      EXPECT_EQ(user::call(call::sgetmask), static_cast<i32>(signal_bit(abi::sigusr1)));
      open_answer = user::close(fd);
      const u32 to = user::room(16);
      EXPECT_EQ(user::call(call::getcwd, to, 16), 2);
      EXPECT_EQ(user::get<char>(to), '/');
    });
    for (;;) {
      user::wait();
      EXPECT_EQ(answer, 0) << "process 1 went on instead of being begun again";
    }
  });
  EXPECT_EQ(begun, 1u);
  EXPECT_EQ(o.power, "");
  EXPECT_TRUE(console_has("Plug the stick in, or give up what waits with `poweroff -f`\r\n"));
}

// Process 1 waits for its children, none of which ends, when the one that asked is refused.
TEST(power_off, a_late_refusal_wakes_process_1) {
  u32 begun = 0;
  on_a_machine([&](pc::mounted_stick& m) {
    pc::set_init([&] {
      ++begun;
      pc::end_test();
    });
    user::fork([&] {
      pull_at_sigterm(m);
      EXPECT_EQ(power_off(), minus(error::ebusy));
      user::sleep_ms(1000);
      EXPECT_EQ(begun, 1u) << "process 1 was not woken";
      pc::end_test();
    });
    for (;;) user::wait();
  });
  EXPECT_EQ(begun, 1u);
}

TEST(power_off, after_a_late_refusal_process_1_goes_on_when_it_had_asked) {
  bool went_on = false;
  on_a_machine([&](pc::mounted_stick& m) {
    pull_at_sigterm(m);
    EXPECT_EQ(power_off(), minus(error::ebusy));
    user::sleep_ms(100);
    EXPECT_EQ(current->signal, 0u);
    EXPECT_TRUE(console_has("Plug the stick in"));
    went_on = true;
    pc::end_test();
  });
  EXPECT_TRUE(went_on);
  EXPECT_FALSE(console_has("is begun again"));
}

}  // namespace
