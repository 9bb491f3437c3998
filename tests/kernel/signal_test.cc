// Signals: sending, blocking, ignoring, handlers and their frames, over fork, exec and sleep.
#include "kernel/signal.h"

#include <gtest/gtest.h>

#include <vector>

#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }
u32 bit(u32 signal) { return signal_bit(signal); }
void pause_for_ever() {
  for (;;) user::call(call::pause);
}
// What the default action makes of a child that gets the signal: its status. The child has a group
// of its own, so that its father could continue it.
u32 status_after(u32 signal) {
  const int child = user::fork([] {
    user::call(call::setpgid, 0, 0);
    pause_for_ever();
  });
  user::sleep_ms(10);
  user::kill(child, signal);
  user::sleep_ms(10);
  u32 status = 0;
  if (user::waitpid(child, &status, abi::wnohang | abi::wuntraced) == 0) status = ~0u;
  user::kill(child, abi::sigkill);
  user::waitpid(child);
  return status;
}

TEST(signal, default_actions) {
  pc::machine machine;
  machine.run([] {
    const int father = user::fork([] {
      for (u32 signal = 1; signal < abi::nsig; ++signal) {
        const bool stops = signal >= abi::sigstop && signal <= abi::sigttou;
        const bool nothing = signal == abi::sigchld || signal == abi::sigcont ||
                             signal == abi::sigurg || signal == abi::sigwinch;
        const u32 expected = nothing ? ~0u : stops ? signal << 8 | 0x7F : signal;
        EXPECT_EQ(status_after(signal), expected) << signal;
      }
    });
    EXPECT_EQ(user::waitpid(father), father);
  });
}

TEST(signal, process_1_has_no_default_action_that_ends_it) {
  pc::machine machine;
  machine.run([] {
    for (u32 signal = 1; signal < abi::nsig; ++signal) EXPECT_EQ(user::kill(1, signal), 0);
    EXPECT_EQ(user::pid(), 1);
    EXPECT_EQ(current->signal, 0u);
  });
}

// A signal that process 1 blocks is pending; what it does is decided when it is delivered.
TEST(signal, process_1_outlives_a_signal_that_it_had_blocked) {
  pc::machine machine;
  u32 begun = 0;
  machine.run([&] {
    pc::set_init([&] {
      ++begun;
      pc::end_test();
    });
    user::block(bit(abi::sighup) | bit(abi::sigusr1) | bit(abi::sigtstp));
    user::kill(1, abi::sighup);
    user::kill(1, abi::sigtstp);
    user::set_handler(abi::sigusr1, user::handler([](u32) { user::kill(1, abi::sigusr1); }),
                      abi::sa_resethand);
    user::kill(1, abi::sigusr1);
    user::block(0);
    EXPECT_EQ(current->signal, 0u);
  });
  EXPECT_EQ(begun, 0u);
}

TEST(signal, a_fault_of_process_1_ends_it_although_it_blocks_the_signal) {
  pc::machine machine({.audit = false});
  u32 begun = 0;
  machine.run([&] {
    pc::set_init([&] {
      ++begun;
      pc::end_test();
    });
    user::block(~0u);
    user::put<u8>(pc::TEXT_START, 1);
  });
  EXPECT_EQ(begun, 1u);
}

TEST(signal, a_handler_gets_the_number_and_the_program_goes_on) {
  pc::machine machine;
  machine.run([] {
    std::vector<u32> seen;
    const u32 handler = user::handler([&](u32 signal) { seen.push_back(signal); });
    EXPECT_EQ(user::set_handler(abi::sigusr1, handler), 0);
    EXPECT_EQ(user::set_handler(abi::sigusr2, handler), 0);
    pc::registers().esi = 0x1234;
    EXPECT_EQ(user::kill(1, abi::sigusr2), 0) << "the result of the call that was interrupted";
    EXPECT_EQ(user::kill(1, abi::sigusr1), 0);
    EXPECT_EQ(user::kill(1, abi::sigusr1), 0);
    EXPECT_EQ(seen, (std::vector<u32>{abi::sigusr2, abi::sigusr1, abi::sigusr1}));
    EXPECT_EQ(current->blocked, 0u);
  });
}

TEST(signal, all_registers_are_as_before_the_handler) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigusr1, user::handler([](u32) {
                        trap_frame& r = pc::registers();
                        r.eax = r.ebx = r.ecx = r.edx = r.esi = r.edi = r.ebp = 0xDEAD;
                        r.eflags = 0;
                        user::pid();
                      }));
    trap_frame& r = pc::registers();
    const u32 esp = r.esp;
    r.eax = 1, r.ebx = 2, r.ecx = 3, r.edx = 4, r.esi = 5, r.edi = 6, r.ebp = 7;
    r.eflags = 0x246;
    send_signal(*current, abi::sigusr1);
    user::be_interrupted();
    EXPECT_EQ(r.eax, 1u);
    EXPECT_EQ(r.ebx, 2u);
    EXPECT_EQ(r.ecx, 3u);
    EXPECT_EQ(r.edx, 4u);
    EXPECT_EQ(r.esi, 5u);
    EXPECT_EQ(r.edi, 6u);
    EXPECT_EQ(r.ebp, 7u);
    EXPECT_EQ(r.esp, esp);
    EXPECT_EQ(r.eflags, 0x246u) << "but for the interrupt flag, which no program changes";
  });
}

TEST(signal, a_program_cannot_change_the_systems_flags_by_sigreturn) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigusr1, user::handler([](u32) {
                        // The frame: return address, signal, nine registers, eflags at the tenth
                        // place.
                        const u32 esp = pc::registers().esp;
                        const u32 eflags = esp + 8 + 8 * 4;
                        EXPECT_EQ(user::get<u32>(eflags) & 0x200, 0x200u);
                        user::put<u32>(eflags, 0x2'3000 | 1);  // V86, IOPL 3, no interrupts, carry
                      }));
    send_signal(*current, abi::sigusr1);
    user::be_interrupted();
    EXPECT_EQ(pc::registers().eflags & 0x2'3201, 0x201u);
    EXPECT_EQ(user::get<u32>(pc::DATA_START + 100), 0x5D5D'5D5Du);
  });
}

TEST(signal, a_handler_runs_with_the_direction_flag_clear) {
  pc::machine machine;
  machine.run([] {
    u32 flags = ~0u;
    user::set_handler(abi::sigusr1, user::handler([&](u32) { flags = pc::registers().eflags; }));
    pc::registers().eflags |= 0x500;
    send_signal(*current, abi::sigusr1);
    user::be_interrupted();
    EXPECT_EQ(flags & 0x500, 0u);
    EXPECT_EQ(pc::registers().eflags & 0x500, 0x500u);
    pc::registers().eflags &= ~0x500u;
  });
}

// --- blocked, pending, ignored ---

TEST(signal, a_blocked_signal_waits) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }));
    user::block(bit(abi::sigusr1));
    user::kill(1, abi::sigusr1);
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(handled, 0u);
    EXPECT_EQ(user::block(0), static_cast<i32>(bit(abi::sigusr1)));
    EXPECT_EQ(handled, 1u) << "pending once";
  });
}

TEST(signal, kill_and_stop_are_not_blocked_ignored_or_handled) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::block(~0u), 0);
    EXPECT_EQ(current->blocked, ~(bit(abi::sigkill) | bit(abi::sigstop)));
    const u32 all = user::room(4);
    user::put(all, ~0u);
    for (const u32 how : {abi::sig_block, abi::sig_setmask}) {
      user::block(0);
      EXPECT_EQ(user::call(call::sigprocmask, how, all, 0), 0);
      EXPECT_EQ(current->blocked & (bit(abi::sigkill) | bit(abi::sigstop)), 0u);
    }
    user::block(0);
    for (const u32 signal : {abi::sigkill, abi::sigstop}) {
      EXPECT_EQ(user::set_handler(signal, abi::sig_ign), minus(error::einval));
      EXPECT_EQ(user::call(call::signal, signal, abi::sig_ign, 0), minus(error::einval));
      EXPECT_EQ(user::call(call::sigaction, signal, 0, user::room(16)), 0) << "asking is allowed";
    }
    const u32 handler =
        user::handler([](u32) { EXPECT_EQ(current->blocked & bit(abi::sigkill), 0u); });
    user::set_handler(abi::sigusr1, handler, 0, ~0u);
    user::kill(1, abi::sigusr1);
  });
}

TEST(signal, numbers_at_the_limits) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::set_handler(0, abi::sig_ign), minus(error::einval));
    EXPECT_EQ(user::set_handler(abi::nsig, abi::sig_ign), minus(error::einval));
    EXPECT_EQ(user::set_handler(~0u, abi::sig_ign), minus(error::einval));
    EXPECT_EQ(user::call(call::signal, 0, abi::sig_ign, 0), minus(error::einval));
    EXPECT_EQ(user::call(call::signal, abi::nsig, abi::sig_ign, 0), minus(error::einval));
    EXPECT_EQ(user::set_handler(1, abi::sig_ign), 0);
    u32 handled = 0;
    EXPECT_EQ(user::set_handler(abi::nsig - 1, user::handler([&](u32) { ++handled; })), 0);
    user::kill(1, abi::nsig - 1);
    EXPECT_EQ(handled, 1u);
  });
}

TEST(signal, an_ignored_signal_leaves_nothing) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigusr1, abi::sig_ign);
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(current->signal, 0u);
    user::block(bit(abi::sigusr1));
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(current->signal, bit(abi::sigusr1)) << "blocked: what becomes of it is not known yet";
    user::set_handler(abi::sigusr1, abi::sig_ign);
    EXPECT_EQ(current->signal, 0u) << "ignored from now on";
    user::block(0);
  });
}

TEST(signal, sigprocmask) {
  pc::machine machine;
  machine.run([] {
    const u32 set = user::room(4), old = user::room(4);
    const auto change = [&](u32 how, u32 bits) {
      user::put(set, bits);
      return user::call(call::sigprocmask, how, set, old);
    };
    EXPECT_EQ(change(abi::sig_setmask, 6), 0);
    EXPECT_EQ(change(abi::sig_block, 9), 0);
    EXPECT_EQ(user::get<u32>(old), 6u);
    EXPECT_EQ(change(abi::sig_unblock, 2), 0);
    EXPECT_EQ(user::get<u32>(old), 15u);
    EXPECT_EQ(change(3, 0), minus(error::einval));
    EXPECT_EQ(user::call(call::sigprocmask, 99, 0, old), 0) << "without a set it only asks";
    EXPECT_EQ(user::get<u32>(old), 13u);
    EXPECT_EQ(user::call(call::sigprocmask, abi::sig_setmask, set, pc::TEXT_START),
              minus(error::efault));
    EXPECT_EQ(user::call(call::sigprocmask, abi::sig_setmask, ~0u, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::sgetmask), 13) << "a call that fails changes nothing";
    user::block(0);
  });
}

TEST(signal, the_mask_holds_for_the_length_of_the_handler) {
  pc::machine machine;
  machine.run([] {
    std::vector<u32> order;
    const u32 inner = user::handler([&](u32 signal) { order.push_back(signal); });
    const u32 outer = user::handler([&](u32 signal) {
      EXPECT_EQ(current->blocked, bit(abi::sigusr1) | bit(abi::sigusr2));
      user::kill(1, abi::sigusr2);
      user::kill(1, abi::sighup);
      order.push_back(signal);
    });
    user::set_handler(abi::sigusr1, outer, abi::sa_resethand, bit(abi::sigusr2));
    user::set_handler(abi::sigusr2, inner);
    user::set_handler(abi::sighup, inner);
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(order, (std::vector<u32>{abi::sighup, abi::sigusr1, abi::sigusr2}));
    EXPECT_EQ(current->sigaction[abi::sigusr1 - 1].handler, abi::sig_dfl) << "sa_resethand";
    EXPECT_EQ(current->blocked, 0u);
    EXPECT_EQ(current->signal, 0u);
  });
}

TEST(signal, sa_nodefer_lets_a_handler_interrupt_itself) {
  pc::machine machine;
  machine.run([] {
    int depth = 0, deepest = 0;
    user::set_handler(abi::sigusr1, user::handler([&](u32) {
                        deepest = std::max(deepest, ++depth);
                        if (depth < 3) user::kill(1, abi::sigusr1);
                        --depth;
                      }),
                      abi::sa_nodefer);
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(deepest, 3);
  });
}

// Two signals are pending at once: both handlers run, one inside the other, and the interrupted
// call's result survives both.
TEST(signal, two_handlers_at_once) {
  pc::machine machine;
  machine.run([] {
    std::vector<u32> order;
    const u32 handler = user::handler([&](u32 signal) { order.push_back(signal); });
    user::set_handler(abi::sighup, handler);
    user::set_handler(abi::sigusr1, handler);
    user::block(~0u);
    user::kill(1, abi::sigusr1);
    user::kill(1, abi::sighup);
    EXPECT_EQ(user::block(0), static_cast<i32>(~(bit(abi::sigkill) | bit(abi::sigstop))));
    EXPECT_EQ(order.size(), 2u);
    EXPECT_EQ(current->blocked, 0u);
  });
}

// The value of a call may look like an error number.
TEST(signal, an_earlier_handler_like_eintr_is_a_value) {
  pc::machine machine;
  machine.run([] {
    const u32 like_eintr = static_cast<u32>(minus(error::eintr));
    user::set_handler(abi::sigusr1, like_eintr);
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, abi::sig_ign, 0), minus(error::eintr));
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, abi::sig_dfl, 0),
              static_cast<i32>(abi::sig_ign));
    user::set_handler(abi::sigusr1, like_eintr);
    const u32 handler = user::handler([](u32) {});
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, handler, 0), minus(error::eintr));
  });
}

TEST(signal, the_old_call_resets_its_handler) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    const u32 handler = user::handler([&](u32) { ++handled; });
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, handler, 0), 0);
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, handler, 0), static_cast<i32>(handler));
    user::kill(1, abi::sigusr1);
    EXPECT_EQ(handled, 1u);
    EXPECT_EQ(user::call(call::signal, abi::sigusr1, abi::sig_ign, 0), 0);
  });
}

TEST(signal, sigaction_tells_the_old_action_and_fails_as_a_whole) {
  pc::machine machine;
  machine.run([] {
    const u32 action = user::room(16), old = user::room(16);
    user::put(action, abi::sigaction{0x1000, ~0u, abi::sa_restart, 0x2000});
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, action, old), 0);
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, action, pc::TEXT_START),
              minus(error::efault));
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, pc::DATA_END - 8, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, 0, old), 0);
    const auto told = user::get<abi::sigaction>(old);
    EXPECT_EQ(told.handler, 0x1000u);
    EXPECT_EQ(told.mask, ~(bit(abi::sigkill) | bit(abi::sigstop)));
    EXPECT_EQ(told.flags, abi::sa_restart);
    EXPECT_EQ(told.restorer, 0x2000u);
    user::put(action, abi::sigaction{0x3000, 0, 0, 0x4000});
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, action, action), 0) << "in one place";
    EXPECT_EQ(user::get<abi::sigaction>(action).handler, 0x1000u);
    EXPECT_EQ(user::call(call::sigaction, abi::sigusr1, 0, old), 0);
    EXPECT_EQ(user::get<abi::sigaction>(old).handler, 0x3000u);
    user::set_handler(abi::sigusr1, abi::sig_dfl);
  });
}

// ^Z drops a pending SIGCONT, also when it comes just before that is delivered; here it is ignored
// itself, so there is nothing left to deliver.
TEST(signal, that_an_interrupt_drops_before_it_is_taken) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigtstp, abi::sig_ign);
    user::set_handler(abi::sigcont, user::handler([&](u32) { ++handled; }));
    std::function<void()> stop_it = [&] {
      if (!signal_pending()) {
        pc::at_next_mask = stop_it;  // it has not been sent yet
        return;
      }
      pc::interrupts_enabled = false;
      send_signal(*current, abi::sigtstp);
      pc::interrupts_enabled = true;
    };
    pc::at_next_mask = stop_it;
    EXPECT_EQ(user::kill(user::pid(), abi::sigcont), 0);
    pc::at_next_mask = nullptr;
    EXPECT_EQ(handled, 0u);
    EXPECT_EQ(current->signal, 0u);
  });
}

// --- sleeps ---

TEST(signal, pause_ends_with_a_handler_alone) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }), abi::sa_restart);
    const int child = user::fork([] {
      user::sleep_ms(20);
      user::kill(1, abi::sigcont);
      user::kill(1, abi::sigchld);
      user::kill(1, abi::sighup);
      user::sleep_ms(20);
      user::kill(1, abi::sigusr1);
    });
    EXPECT_EQ(user::call(call::pause), minus(error::eintr));
    EXPECT_EQ(handled, 1u);
    EXPECT_EQ(user::wait(), child);
  });
}

TEST(signal, a_signal_that_came_just_before_pause_ends_it) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      user::set_handler(abi::sigusr1, user::handler([](u32) {}));
      send_signal(*current, abi::sigusr1);
      EXPECT_EQ(user::call(call::pause), minus(error::eintr));
    });
    EXPECT_EQ(user::wait(), child);
  });
}

TEST(signal, alarms) {
  pc::machine machine;
  machine.run([] {
    u32 rings = 0;
    user::set_handler(abi::sigalrm, user::handler([&](u32) { ++rings; }));
    EXPECT_EQ(user::call(call::alarm, 10), 0);
    EXPECT_EQ(user::call(call::alarm, 2), 10);
    user::sleep_ms(1500);
    EXPECT_EQ(user::call(call::alarm, 1), 1) << "what is left is rounded up";
    EXPECT_EQ(rings, 0u);
    user::sleep_ms(3000);
    EXPECT_EQ(rings, 1u);
    EXPECT_EQ(user::call(call::alarm, 0), 0);
    user::call(call::alarm, 1);
    EXPECT_EQ(user::call(call::alarm, 0), 1);
    user::sleep_ms(2000);
    EXPECT_EQ(rings, 1u) << "a cancelled alarm";
  });
}

TEST(signal, an_alarm_reaches_a_program_that_only_computes) {
  pc::machine machine;
  machine.run([] {
    u32 rings = 0;
    user::set_handler(abi::sigalrm, user::handler([&](u32) { ++rings; }));
    user::call(call::alarm, 1);
    user::compute(99);
    EXPECT_EQ(rings, 0u);
    user::compute(2);
    EXPECT_EQ(rings, 1u);
  });
}

// --- stop and continue ---

TEST(signal, a_stopped_process_runs_no_handler_until_it_is_continued) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    const int child = user::fork([&] {
      user::set_handler(abi::sigusr1, user::handler([&](u32) { ++handled; }));
      user::call(call::pause);
    });
    user::sleep_ms(10);
    user::kill(child, abi::sigstop);
    user::sleep_ms(10);
    user::kill(child, abi::sigusr1);
    user::sleep_ms(10);
    EXPECT_EQ(handled, 0u);
    EXPECT_EQ(find_process(child)->state, task_state::stopped);
    user::kill(child, abi::sigcont);
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(handled, 1u);
  });
}

TEST(signal, continue_and_stop_cancel_each_other) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigtstp, user::handler([&](u32) { ++handled; }));
    user::set_handler(abi::sigcont, user::handler([&](u32) { handled += 100; }));
    user::block(bit(abi::sigtstp) | bit(abi::sigcont));
    user::kill(1, abi::sigtstp);
    user::kill(1, abi::sigcont);
    EXPECT_EQ(current->signal, bit(abi::sigcont));
    user::kill(1, abi::sigtstp);
    EXPECT_EQ(current->signal, bit(abi::sigtstp));
    user::block(0);
    EXPECT_EQ(handled, 1u);
  });
}

TEST(signal, a_continue_that_is_blocked_or_ignored_continues) {
  pc::machine machine;
  machine.run([] {
    for (const bool ignored : {false, true}) {
      const int child = user::fork([=] {
        if (ignored)
          user::set_handler(abi::sigcont, abi::sig_ign);
        else
          user::block(bit(abi::sigcont));
        user::kill(user::pid(), abi::sigstop);
        user::exit(1);
      });
      EXPECT_EQ(user::waitpid(child, nullptr, abi::wuntraced), child);
      user::kill(child, abi::sigcont);
      u32 status = 0;
      EXPECT_EQ(user::waitpid(child, &status), child);
      EXPECT_EQ(status, 1u << 8);
    }
  });
}

// A call that a stop interrupted goes on when the process is continued.
TEST(signal, a_read_goes_on_after_a_stop) {
  pc::machine machine;
  machine.run([] {
    const u32 ends = user::room(8);
    user::call(call::pipe, ends);
    const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
    const int reader = user::fork([=] { EXPECT_EQ(user::read(from, 5), "hello"); });
    user::sleep_ms(10);
    user::kill(reader, abi::sigstop);
    user::sleep_ms(10);
    user::kill(reader, abi::sigcont);
    user::sleep_ms(10);
    EXPECT_EQ(user::write(to, "hello"), 5);
    EXPECT_EQ(user::wait(), reader);
    user::close(from);
    user::close(to);
  });
}

// --- faults ---

TEST(signal, a_fault_ends_a_program_also_when_it_blocks_or_ignores_the_signal) {
  pc::machine machine;
  machine.run([] {
    for (const int how : {0, 1, 2}) {
      const int child = user::fork([=] {
        if (how == 1) user::block(~0u);
        if (how == 2) user::set_handler(abi::sigsegv, abi::sig_ign);
        user::put<u8>(pc::TEXT_START, 1);
      });
      u32 status = 0;
      EXPECT_EQ(user::wait(&status), child);
      EXPECT_EQ(status, abi::sigsegv) << how;
    }
    EXPECT_NE(pc::console().find("segmentation fault at address 08048000"), std::string::npos);
  });
}

TEST(signal, a_handler_of_a_fault_may_mend_it) {
  pc::machine machine;
  machine.run([] {
    u32 faults = 0;
    user::set_handler(abi::sigsegv, user::handler([&](u32) {
                        ++faults;
                        user::call(call::brk, pc::HEAP_START + PAGE_SIZE);
                      }));
    user::put<u8>(pc::HEAP_START + 5, 9);
    EXPECT_EQ(faults, 1u);
    EXPECT_EQ(user::get<u8>(pc::HEAP_START + 5), 9);
  });
}

TEST(signal, no_memory_for_a_page_kills_the_program_and_no_other) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      user::call(call::brk, pc::HEAP_START + 2 * PAGE_SIZE);
      pc::leave_free_pages(0);
      user::put<u8>(pc::HEAP_START, 1);
      user::exit(0);
    });
    u32 status = 0;
    user::room(16);
    user::put<u32>(user::room(4), 0);
    const int got = user::wait();
    pc::release_memory();
    EXPECT_EQ(got, child);
    (void)status;
    EXPECT_NE(pc::console().find("out of memory"), std::string::npos);
  });
}

}  // namespace
