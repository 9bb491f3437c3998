// A program runs from a stick that is pulled: what happens while one of its pages, or the name of
// one of its functions, is waited for.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "kernel/process.h"
#include "kernel/sched.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/program.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

constexpr u32 PROGRAM = pc::ENTRY + 0x40;

// Only the first block of the program's data is in the cache.
void leave_one_block_in_the_cache(pc::mounted_stick& m) {
  m.push_out_of_cache();
  const i32 file = user::open("/mnt/program");
  user::call(call::lseek, static_cast<u32>(file), pc::program_file(PROGRAM).data_offset,
             abi::seek_set);
  user::read(file, 1);
  user::close(file);
}

struct play {
  std::function<void()> prepare = [] {};          // the program, before the pull
  std::function<void()> use = [] {};              // the program, when the stick is away
  std::function<void(int)> disturb = [](int) {};  // another process, with the program's number
};

// The program calls `prepare`, and when the stick is away, `use`; while that waits for the stick,
// `disturb` runs; then the stick comes back. Returns the program's status.
u32 status_of(const play& p) {
  pc::machine machine({.audit = false});
  pc::mounted_stick m;
  u32 status = ~0u;
  machine.run([&] {
    m.mount();
    bool away = false;
    user::install("/mnt/program", PROGRAM, [&] {
      p.prepare();
      while (!away) user::sleep_ms(10);
      p.use();
      user::exit(7);
    });
    EXPECT_EQ(user::call(call::sync), 0);
    const int program = user::fork([] { user::execve("/mnt/program", {"program"}); });
    user::sleep_ms(100);
    leave_one_block_in_the_cache(m);
    m.pull();
    user::sleep_ms(50);
    away = true;
    user::sleep_ms(50);
    p.disturb(program);
    user::sleep_ms(50);
    m.plug();
    user::sleep_ms(200);
    user::waitpid(program, &status, abi::wnohang);
    pc::end_test();
  });
  return status;
}

TEST(page_in, a_signal_in_the_middle_of_a_page_is_handled) {
  u32 handled = 0;
  u8 found = 0;
  const u32 status = status_of(
      {.prepare = [&] { user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; })); },
       .use = [&] { found = user::get<u8>(pc::DATA_START); },
       .disturb = [](int program) { user::kill(program, abi::sigusr1); }});
  EXPECT_EQ(handled, 1u);
  EXPECT_EQ(status, 7u << 8) << "it was ended by SIGBUS";
  EXPECT_EQ(found, pc::DATA_BYTE);
}

TEST(page_in, stop_and_continue_in_the_middle_of_a_page) {
  const u32 status = status_of({.use = [] { user::get<u8>(pc::DATA_START); },
                                .disturb =
                                    [](int program) {
                                      user::kill(program, abi::sigstop);
                                      user::sleep_ms(50);
                                      user::kill(program, abi::sigcont);
                                    }});
  EXPECT_EQ(status, 7u << 8) << "it was ended by SIGBUS";
}

TEST(page_in, a_call_that_a_signal_interrupts_in_the_middle_of_a_page_is_begun_again) {
  i32 answer = 0;
  const u32 status = status_of(
      {.prepare =
           [] { user::set_handler(abi::sigusr1, user::handler([](u32) {}), abi::sa_restart); },
       .use =
           [&] {
             const i32 fd = user::open("/tmp/copy", abi::o_creat | abi::o_wronly);
             answer = user::call(call::write, static_cast<u32>(fd), pc::DATA_START, 100);
           },
       .disturb = [](int program) { user::kill(program, abi::sigusr1); }});
  EXPECT_EQ(answer, 100);
  EXPECT_EQ(status, 7u << 8);
}

// The handler's stack is in the page that is waited for when a second signal comes.
TEST(page_in, of_a_handlers_stack_is_not_interrupted_by_the_next_signal) {
  u32 handled = 0;
  const u32 status = status_of({.prepare =
                                    [&] {
                                      const u32 count = user::handler([&](u32) { ++handled; });
                                      user::set_handler(abi::sigusr1, count);
                                      user::set_handler(abi::sigusr2, count);
                                    },
                                .use =
                                    [] {
                                      const u32 stack =
                                          std::exchange(pc::registers().esp, pc::DATA_START + 4000);
                                      user::call(call::pause);
                                      pc::registers().esp = stack;
                                    },
                                .disturb =
                                    [](int program) {
                                      user::kill(program, abi::sigusr1);
                                      user::sleep_ms(50);
                                      user::kill(program, abi::sigusr2);
                                    }});
  EXPECT_EQ(status, 7u << 8);
  EXPECT_EQ(handled, 2u);
}

// The same, and the second signal is one that no program can block.
u32 status_with_handlers_stack_away(std::function<void(int)> disturb) {
  return status_of({.prepare = [] { user::set_handler(abi::sigusr1, user::handler([](u32) {})); },
                    .use =
                        [] {
                          const u32 stack =
                              std::exchange(pc::registers().esp, pc::DATA_START + 4000);
                          user::call(call::pause);
                          pc::registers().esp = stack;
                        },
                    .disturb =
                        [disturb](int program) {
                          user::kill(program, abi::sigusr1);
                          user::sleep_ms(50);
                          disturb(program);
                        }});
}

TEST(page_in, of_a_handlers_stack_and_a_stop) {
  u32 told = 0;
  const u32 status = status_with_handlers_stack_away([&](int program) {
    user::kill(program, abi::sigstop);
    user::sleep_ms(50);
    user::waitpid(program, &told, abi::wnohang | abi::wuntraced);
    user::kill(program, abi::sigcont);
  });
  EXPECT_EQ(told, 0u) << "it stops when the page is there";
  EXPECT_EQ(status, 7u << 8);
}

TEST(page_in, of_a_handlers_stack_and_its_end) {
  const u32 status =
      status_with_handlers_stack_away([](int program) { user::kill(program, abi::sigkill); });
  EXPECT_EQ(status, abi::sigkill);
}

// The names of its functions are on the stick.
TEST(page_in, the_end_by_a_fault_does_not_wait_for_the_names_of_functions) {
  bool ended = false;
  status_of({.use = [] { user::get<u8>(0x1000); },
             .disturb =
                 [&](int program) {
                   user::sleep_ms(5000);
                   const task_struct* const t = find_process(program);
                   ended = !t || t->state == task_state::zombie;
                 }});
  EXPECT_TRUE(ended);
}

}  // namespace
