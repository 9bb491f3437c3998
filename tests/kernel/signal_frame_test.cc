// The frame of a signal's handler on the user's stack, and the way back (kernel/signal_frame.h).
#include <gtest/gtest.h>

#include <vector>

#include "hal/memory.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

// At every place of the stack pointer around the end of its memory: the frame stands there whole,
// or the process ends with SIGSEGV.
TEST(signal_frame, a_frame_that_does_not_fit_ends_the_process) {
  pc::machine machine;
  machine.run([] {
    const u32 places[] = {0,  4, 64, pc::TEXT_START + 200, pc::DATA_END + 4096, KERNEL_BASE + 64,
                          ~0u};
    for (const u32 place : places) {
      const int child = user::fork([=] {
        user::set_handler(abi::sigusr1, user::handler([](u32) { ADD_FAILURE() << "it ran"; }));
        pc::registers().esp = place;
        user::kill(user::pid(), abi::sigusr1);
      });
      u32 status = 0;
      EXPECT_EQ(user::wait(&status), child);
      EXPECT_EQ(status, abi::sigsegv) << std::hex << place;
    }
  });
}

TEST(signal_frame, a_frame_across_a_page_border) {
  pc::machine machine;
  machine.run([] {
    for (u32 shift = 0; shift < 160; shift += 4) {
      u32 handled = 0;
      const u32 border = pc::DATA_START + 8 * PAGE_SIZE;
      user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }));
      const u32 esp = pc::registers().esp;
      pc::registers().esp = border + shift;
      pc::registers().edi = 0xABCD;
      EXPECT_EQ(user::kill(1, abi::sigusr1), 0);
      EXPECT_EQ(handled, 1u);
      EXPECT_EQ(pc::registers().esp, border + shift);
      EXPECT_EQ(pc::registers().edi, 0u);
      pc::registers().esp = esp;
    }
    // The lower page is not the program's: data begins at DATA_START, in front of it is nothing.
    const int child = user::fork([] {
      user::set_handler(abi::sigusr1, user::handler([](u32) { ADD_FAILURE() << "it ran"; }));
      pc::registers().esp = pc::DATA_START + 40;
      user::kill(user::pid(), abi::sigusr1);
    });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, abi::sigsegv);
  });
}

TEST(signal_frame, the_stack_is_copied_before_the_frame_is_written) {
  pc::machine machine;
  machine.run([] {
    const u32 esp = pc::registers().esp;
    user::put<u32>(esp - 64, 0x1111);
    const int child = user::fork([=] {
      user::set_handler(abi::sigusr1, user::handler([](u32) {}));
      user::kill(user::pid(), abi::sigusr1);
      EXPECT_NE(user::get<u32>(esp - 64), 0x1111u);
    });
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(user::get<u32>(esp - 64), 0x1111u);
  });
}

TEST(signal_frame, a_frame_that_cannot_be_read_ends_the_process) {
  pc::machine machine;
  machine.run([] {
    for (const u32 esp : {0u, 8u, pc::DATA_END, pc::DATA_END - 8, KERNEL_BASE, ~0u}) {
      const int child = user::fork([=] {
        pc::registers().esp = esp;
        user::call(call::sigreturn);
        ADD_FAILURE() << "it went on";
      });
      u32 status = 0;
      EXPECT_EQ(user::wait(&status), child);
      EXPECT_EQ(status, abi::sigsegv) << std::hex << esp;
    }
  });
}

TEST(signal_frame, a_restorer_of_the_program_is_the_return_address) {
  pc::machine machine;
  machine.run([] {
    u32 return_address = 0;
    const u32 handler =
        user::handler([&](u32) { return_address = user::get<u32>(pc::registers().esp); });
    const u32 action = user::room(16);
    user::put(action, abi::sigaction{handler, 0, abi::sa_restorer, 0x0804'8400});
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, action, 0), 0);
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(return_address, 0x0804'8400u);
    user::put(action, abi::sigaction{handler, 0, 0, 0x0804'8400});
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, action, 0), 0);
    user::kill(1, abi::sigusr1);
    EXPECT_NE(return_address, 0x0804'8400u) << "without the flag it is the frame's own code";
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, handler, 0x0804'8500),
              static_cast<i32>(handler));
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(return_address, 0x0804'8500u);
  });
}

// The trampoline's code: pop eax; mov eax, sigreturn; int 0x80.
TEST(signal_frame, the_frames_own_code) {
  pc::machine machine;
  machine.run([] {
    std::array<u8, 8> code{};
    user::set_handler(abi::sigusr1, user::handler([&](u32) {
                        code = user::get<std::array<u8, 8>>(user::get<u32>(pc::registers().esp));
                      }));
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(code, (std::array<u8, 8>{0x58, 0xB8, 119, 0, 0, 0, 0xCD, 0x80}));
  });
}

}  // namespace
