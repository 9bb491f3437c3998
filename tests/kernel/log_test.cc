// What the kernel tells: its messages (printk), and the text files about itself (kernel/info.cc).
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <sstream>
#include <string>

#include "drivers/char/console.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/region.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/memory.h"
#include "kernel/i386/descriptors.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "lib/format.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/stick.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

// The text that /dev/kmsg and its like have, read piece by piece.
std::string info(abi::info_file which) {
  user::call(call::mknod, user::text("/tmp/i"), abi::s_ifchr | 0444,
             u32{abi::major_info} << 8 | static_cast<u32>(which));
  const i32 fd = user::open("/tmp/i");
  std::string text;
  for (std::string piece; !(piece = user::read(fd, 4096)).empty();) text += piece;
  user::close(fd);
  user::call(call::unlink, user::text("/tmp/i"));
  return text;
}
std::string log_tail(size_t length) {
  const std::string text = info(abi::info_file::kmsg);
  return text.substr(text.size() - std::min(text.size(), length));
}
void write_to_console(const char* text) {
  const i32 fd = user::open("/dev/console", abi::o_wronly);
  user::write(fd, text);
  user::close(fd);
}

// --- printk ---

// Here a long is a word, as an int is; on the machine of the other tests of lib/ it is two.
TEST(format, a_long_is_a_word) {
  std::array<char, 64> text;
  format(text, "%lu %u %ld %zu %u", 1ul, 2u, -3l, size_t{4}, 5u);
  EXPECT_STREQ(text.data(), "1 2 -3 4 5");
  format(text, "%llx %u", 0x1'0000'0002ull, 3u);
  EXPECT_STREQ(text.data(), "100000002 3");
}

TEST(printk, every_line_has_the_time_at_which_it_was_written) {
  pc::machine machine;
  machine.run([] {
    for (const u32 ms : {999'990u, 1'000'000u, 1'234'560u}) {
      sleep_for(instant{} + duration{i64{ms} * 1'000'000} - now());
      std::ostringstream expected;
      expected << "[" << std::string(5 - std::to_string(ms / 1000).size(), ' ') << ms / 1000 << "."
               << std::to_string(1000 + ms % 1000).substr(1) << "] ";
      printk("first\nsecond %u\n", ms);
      const std::string line = expected.str();
      const std::string both = line + "first\n" + line + "second " + std::to_string(ms) + "\n";
      EXPECT_EQ(log_tail(both.size()), both);
    }
  });
}

// The watch of tests/pc/races.h looks on.
TEST(printk, may_be_called_by_a_task_and_by_an_interrupt_handler) {
  constexpr u8 line = 5;
  pc::machine machine;
  machine.run([] {
    const irq_handler tells = [](void*) {
      printk("an interrupt\n");
      return true;
    };
    ASSERT_TRUE(request_irq(line, false, tells, nullptr));
    pc::trap(first_irq_vector + line);
    printk("a task\n");
    EXPECT_TRUE(pc::console().contains("an interrupt\r\n")) << pc::console();
    EXPECT_TRUE(pc::console().contains("a task\r\n")) << pc::console();
  });
}

TEST(printk, a_line_in_two_pieces_has_one_time) {
  pc::machine machine;
  machine.run([] {
    printk("one");
    printk(" two");
    printk("\n");
    EXPECT_TRUE(log_tail(20).ends_with("] one two\n"));
    printk("three\n");
    EXPECT_TRUE(log_tail(20).ends_with("] three\n"));
    EXPECT_TRUE(pc::console().ends_with("one two\r\nthree\r\n")) << "the console shows no times";
  });
}

TEST(printk, a_message_begins_on_a_line_of_its_own) {
  pc::machine machine;
  machine.run([] {
    printk("before\n");
    write_to_console("$ ");
    printk("message\n");
    EXPECT_TRUE(pc::console().ends_with("before\r\n$ \r\nmessage\r\n")) << pc::console();
    printk("half");
    write_to_console("|");
    printk("whole\n");
    EXPECT_TRUE(pc::console().ends_with("half|whole\r\n")) << "in the middle of a message";
    EXPECT_TRUE(log_tail(30).ends_with("] halfwhole\n")) << "what programs write is no message";
  });
}

TEST(printk, a_message_of_512_letters_is_cut) {
  pc::machine machine;
  machine.run([] {
    for (const u32 length : {510u, 511u, 512u, 600u}) {
      const std::string text(length, 'x'), shown(std::min(length, 511u), 'x');
      printk("-\n");
      printk("%s", text.c_str());
      EXPECT_TRUE(pc::console().ends_with("-\r\n" + shown)) << length;
      EXPECT_TRUE(log_tail(600).ends_with("] " + shown)) << length;
      printk("\n");
    }
  });
}

// --- info files ---

// Lines "name number".
std::map<std::string, u32> numbers(abi::info_file which) {
  std::istringstream lines(info(which));
  std::map<std::string, u32> found;
  std::string name;
  u32 number = 0;
  while (lines >> name >> number) {
    EXPECT_FALSE(found.contains(name)) << name << " stands there twice";
    found[name] = number;
  }
  EXPECT_TRUE(lines.eof());
  return found;
}

TEST(info, memory_has_these_numbers) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp/f", abi::o_creat | abi::o_wronly);
    user::write(fd, "x");
    for (int i = 0; i < 20; ++i)
      info(abi::info_file::memory);  // all of the program's memory is there
    auto n = numbers(abi::info_file::memory);
    const buffer_counts buffers = count_buffers();
    EXPECT_EQ(n["total_kib"], total_page_count() * 4);
    EXPECT_EQ(n["free_kib"], free_page_count() * 4);
    EXPECT_EQ(n["buffers"], 64u);
    EXPECT_EQ(n["buffers_dirty"], buffers.dirty);
    EXPECT_GT(n["buffers_dirty"], 0u);
    EXPECT_EQ(n["buffers_clean"], buffers.clean);
    EXPECT_EQ(n["buffers_in_use"], buffers.in_use);
    EXPECT_EQ(n.size(), 6u);
    user::close(fd);
    user::call(call::unlink, user::text("/tmp/f"));
  });
}

TEST(info, counts_tell_what_is_in_use) {
  pc::machine machine;
  std::vector<byte> content(64 * 1024);
  machine.run([&] {
    for (int i = 0; i < 20; ++i)
      info(abi::info_file::counts);  // all of the program's memory is there
    auto before = numbers(abi::info_file::counts);
    EXPECT_EQ(before.size(), 10u);
    EXPECT_EQ(before["pages_free"], free_page_count());
    EXPECT_EQ(before["zombies"], 0u);
    for (const char* nothing : {"buffers", "buffers_locked", "requests", "slots", "slots_promised"})
      EXPECT_TRUE(before.contains(nothing) && before[nothing] == 0) << nothing;
    const int zombie = user::fork([] {});
    const int alive = user::fork([] { user::call(call::pause); });
    user::sleep_ms(20);
    const i32 fd = user::open("/sbin");
    auto now = numbers(abi::info_file::counts);
    EXPECT_EQ(now["tasks"], before["tasks"] + 2);
    EXPECT_EQ(now["zombies"], 1u);
    EXPECT_EQ(now["files"], before["files"] + 1);
    EXPECT_EQ(now["inodes"], before["inodes"] + 1);
    user::close(fd);
    user::kill(alive, abi::sigkill);
    EXPECT_EQ(user::waitpid(alive), alive);
    EXPECT_EQ(user::waitpid(zombie), zombie);
    for (int i = 0; i < 20; ++i) info(abi::info_file::counts);
    now = numbers(abi::info_file::counts);
    EXPECT_EQ(now, before);
  });
}

// A block that was written to a stick is held in a slot, and counted.
TEST(info, slots_are_counted) {
  pc::machine machine({.audit = false});
  std::vector<byte> content(64 * 1024);
  machine.run([&] {
    auto* const stick = new pc::stick(content);
    user::sleep_ms(100);
    user::call(call::mknod, user::text("/tmp/sda"), abi::s_ifblk | 0600, 8 << 8);
    const i32 fd = user::open("/tmp/sda", abi::o_rdwr);
    EXPECT_EQ(user::write(fd, std::string(1024, 'x')), 1024);
    auto n = numbers(abi::info_file::counts);
    EXPECT_EQ(n["slots"], checkpoint::slots_in_use());
    EXPECT_GT(n["slots"], 0u);
    EXPECT_LE(n["slots_promised"], checkpoint::region_size());
    EXPECT_EQ(n["slots_promised"] + n["slots"] + checkpoint::unreserved(),
              checkpoint::region_size());
    stick->pull();
    pc::end_test();
  });
}

TEST(info, tasks_are_records_of_five_fields) {
  pc::machine machine;
  machine.run([] {
    user::compute(7);
    pc::tick(2);
    const int sleeping = user::fork([] { user::call(call::pause); });
    const int deaf = user::fork([] { sleep_for(1_s); });
    const int computing = user::fork([] { user::compute(5); });
    user::sleep_ms(30);
    std::istringstream lines(info(abi::info_file::tasks));
    std::map<int, std::string> states;
    std::map<int, u32> ticks;
    std::string line;
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      int pid = 0, father = 0;
      std::string state, name;
      u32 used = 0;
      EXPECT_TRUE(fields >> pid >> father >> state >> used >> name) << line;
      const task_struct* const t = find_process(pid);
      ASSERT_TRUE(t) << line;
      EXPECT_GT(pid, 0) << "the idle task is not shown";
      EXPECT_EQ(father, t->father ? 1 : 0) << line;
      EXPECT_EQ(name, t->comm.data());
      EXPECT_EQ(used, t->user_ticks + t->system_ticks) << line;
      EXPECT_FALSE(states.contains(pid));
      states[pid] = state;
      ticks[pid] = used;
    }
    EXPECT_EQ(states[1], "R");
    EXPECT_GE(ticks[1], 9u);
    EXPECT_EQ(states[sleeping], "S");
    EXPECT_EQ(states[deaf], "D");
    EXPECT_EQ(states[computing], "R");
    user::kill(sleeping, abi::sigkill);
    for (int i = 0; i < 3; ++i) EXPECT_GT(user::wait(), 0);
  });
}

// --- init ---

TEST(init, is_begun_again_a_second_later) {
  pc::machine machine({.audit = false});
  instant ended{};
  machine.run([&] {
    pc::set_init([&] {
      EXPECT_EQ((now() - ended).ns, duration{1_s}.ns);
      EXPECT_EQ(current->priority, 15) << "that of a process, not of a driver";
      EXPECT_NE(pc::console().find("Process 1 has ended (status 700); it is begun again.\r\n"),
                std::string::npos);
      const u32 to = user::room(16);
      EXPECT_EQ(user::call(call::getcwd, to, 16), 2) << "it begins in the root";
      pc::end_test();
    });
    EXPECT_EQ(current->priority, 15);
    user::call(call::chdir, user::text("/tmp"));
    ended = now();
    user::exit(7);
  });
}

TEST(init, is_tried_again_until_it_can_be_run) {
  pc::machine machine({.audit = false});
  bool begun = false;
  machine.run([&] {
    pc::set_init([&] {
      begun = true;
      pc::end_test();
    });
    user::fork([] {
      user::sleep_ms(5000);
      user::call(call::rename, user::text("/sbin/other"), user::text("/sbin/init"));
      user::call(call::pause);
    });
    user::call(call::rename, user::text("/sbin/init"), user::text("/sbin/other"));
    user::exit(0);
  });
  EXPECT_TRUE(begun);
}

TEST(init, without_any_program_the_kernel_goes_on) {
  pc::machine machine({.audit = false});
  bool went_on = false;
  machine.run([&] {
    user::fork([&] {
      user::sleep_ms(3000);
      EXPECT_TRUE(
          pc::console().ends_with("init: /sbin/init cannot be run (error 2)\r\n"
                                  "init: /bin/sh cannot be run (error 2)\r\n"
                                  "There is no program to run.\r\n"))
          << pc::console();
      EXPECT_EQ(find_process(1)->state, task_state::uninterruptible);
      went_on = true;
      pc::end_test();
    });
    user::call(call::unlink, user::text("/sbin/init"));
    user::exit(0);
  });
  EXPECT_TRUE(went_on);
}

TEST(init, the_program_of_the_option_comes_first) {
  pc::machine machine({.options = "init=/tmp/other", .audit = false});
  bool ran = false;
  machine.run([&] {
    EXPECT_EQ(user::arguments().envp,
              (std::vector<std::string>{"PATH=/bin:/sbin", "HOME=/", "TERM=linux"}));
    user::install("/tmp/other", 0x0804'8300, [&] {
      ran = true;
      EXPECT_EQ(user::arguments().argv, std::vector<std::string>{"/tmp/other"});
      pc::end_test();
    });
    user::exit(0);
  });
  EXPECT_TRUE(ran);
}

}  // namespace
