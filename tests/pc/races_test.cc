// The watch for races itself (races.h), told of accesses as the compiler's calls tell it.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "hal/irq.h"
#include "kernel/sched.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

extern "C" {
void __tsan_read4(u32 address);
void __tsan_read8(u32 address);
void __tsan_write4(u32 address);
}

namespace pc {
namespace {

u32 address_of(const auto& variable) { return reinterpret_cast<u32>(&variable); }

enum class access { read, read_in_pieces, write };

void use(access how, u32 address) {
  switch (how) {
    case access::read: __tsan_read4(address); break;
    case access::read_in_pieces: __tsan_read8(address); break;
    case access::write: __tsan_write4(address);
  }
}

// jiffies: a handler writes it; task: a handler reads it.
TEST(races, a_task_masks_what_an_interrupt_handler_uses) {
  struct row {
    const char* name;
    access how;
    u32 address;
    bool after_a_tick, masked;
    const char* told;  // null: nothing
  };
  static constexpr const char* writes = "a task writes with interrupts enabled";
  static constexpr const char* reads = "a task reads with interrupts enabled";
  const u32 ticks = address_of(jiffies), tasks = address_of(task);
  const row table[] = {
      {"written here and there", access::write, ticks, true, false, writes},
      {"read in pieces here, written there", access::read_in_pieces, ticks, true, false, reads},
      {"read at once here, written there", access::read, ticks, true, false, nullptr},
      {"written here, read there", access::write, tasks, true, false, writes},
      {"read here and there", access::read_in_pieces, tasks, true, false, nullptr},
      {"masked", access::write, ticks, true, true, nullptr},
      {"no handler has used it yet", access::write, ticks, false, false, nullptr},
  };
  for (const row& each : table) {
    testing::TestPartResultArray found;
    machine bare;
    bare.run([&] {
      const testing::ScopedFakeTestPartResultReporter reporter(&found);
      interrupts_enabled = !each.masked;
      if (each.after_a_tick) tick();
      use(each.how, each.address);
      interrupts_enabled = true;
    });
    ASSERT_EQ(found.size(), each.told ? 1 : 0) << each.name;
    for (int i = 0; i < found.size(); ++i)
      EXPECT_TRUE(std::string(found.GetTestPartResult(i).message()).contains(each.told));
  }
}

// Each call that touches what a key touches.
TEST(races, the_terminal_masks_what_a_key_uses) {
  machine machine;
  machine.run([] {
    const auto console = static_cast<u32>(user::open("/dev/console", abi::o_rdwr));
    const u32 argument = user::room(sizeof(abi::termios));
    user::put(argument, i32{1});
    for (const u32 command : {abi::tiocspgrp, abi::tiocgpgrp, abi::tcgets, abi::tcsets})
      EXPECT_EQ(user::call(abi::syscall::ioctl, console, command, argument), 0);
    EXPECT_EQ(user::write(static_cast<i32>(console), "text"), 4);
    user::close(static_cast<i32>(console));
  });
}

}  // namespace
}  // namespace pc
