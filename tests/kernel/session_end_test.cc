// The end of a session's leader, and what its end tells the terminal.
#include <gtest/gtest.h>

#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

// A session whose foreground group has a member that counts SIGHUP; `end` runs in the leader.
u32 hangups_after(const std::function<void()>& end) {
  u32 hangups = 0;
  const int leader = user::fork([&] {
    user::call(call::setsid);
    const i32 console = user::open("/dev/console", abi::o_rdwr);
    const int member = user::fork([&] {
      user::call(call::setpgid, 0, 0);
      user::set_handler(abi::sighup, user::handler([&](u32) { ++hangups; }));
      user::sleep_ms(500);
    });
    user::sleep_ms(20);
    const u32 group = user::room(4);
    user::put(group, member);
    EXPECT_EQ(user::call(call::ioctl, static_cast<u32>(console), abi::tiocspgrp, group), 0);
    end();
  });
  EXPECT_EQ(user::waitpid(leader), leader);
  const u32 at_the_leaders_end = hangups;
  user::sleep_ms(50);
  EXPECT_EQ(at_the_leaders_end, 0u) << "it had no time to run";
  const u32 told = hangups;
  while (user::wait() > 0) {
  }
  return told;
}

TEST(exit, the_terminal_of_a_session_hangs_up_when_its_leader_ends) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(hangups_after([] {}), 1u);
    EXPECT_EQ(hangups_after([] { user::exit(0); }), 1u) << "the next session had the terminal";
    EXPECT_EQ(hangups_after([] {
                // A program of the session that does not lead it.
                const int other = user::fork([] {});
                EXPECT_EQ(user::waitpid(other), other);
                user::kill(-1, abi::sigkill);
              }),
              0u);
  });
}

TEST(fork, a_child_has_its_fathers_priority) {
  pc::machine machine;
  machine.run([] {
    current->priority = 9;
    const int child = user::fork([] { EXPECT_EQ(current->priority, 9); });
    EXPECT_EQ(user::wait(), child);
    current->priority = 15;
  });
}

}  // namespace
