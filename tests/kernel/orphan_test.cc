// Orphaned process groups: no process could continue a stopped member (POSIX).
#include <gtest/gtest.h>

#include "kernel/process.h"
#include "kernel/sched.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }

TEST(orphans, a_stopped_orphan_is_told_and_continued) {
  pc::machine machine;
  machine.run([] {
    u32 hangups = 0;
    int child = 0;
    const int father = user::fork([&] {
      user::call(call::setsid);
      child = user::fork([&] {
        user::call(call::setpgid, 0, 0);
        user::set_handler(abi::sighup, user::handler([&](u32) { ++hangups; }));
        user::kill(user::pid(), abi::sigstop);
        user::kill(user::pid(), abi::sigstop);  // it is an orphan by now
        user::exit(9);
      });
      user::sleep_ms(50);
      EXPECT_EQ(find_process(child)->state, task_state::stopped);
    });
    EXPECT_EQ(user::waitpid(father), father);
    user::sleep_ms(50);
    const int other = user::fork([] {});
    EXPECT_EQ(user::waitpid(other), other);
    user::sleep_ms(50);
    EXPECT_EQ(find_process(child)->state, task_state::stopped) << "another one's end is no reason";
    user::kill(child, abi::sigcont);
    u32 status = 0;
    EXPECT_EQ(user::waitpid(child, &status), child);
    EXPECT_EQ(status, 9u << 8);
    EXPECT_EQ(hangups, 1u);
  });
}

// Another process of the session can still continue the group: nothing is sent.
TEST(orphans, a_group_that_is_no_orphan_stays_stopped) {
  pc::machine machine;
  machine.run([] {
    const int shell = user::fork([] {
      user::call(call::setsid);
      const int stopped = user::fork([] {
        user::call(call::setpgid, 0, 0);
        const int partner = user::fork([] { user::kill(user::pid(), abi::sigstop); });
        (void)partner;
        user::kill(user::pid(), abi::sigstop);
      });
      const int other = user::fork([] { user::sleep_ms(30); });
      EXPECT_EQ(user::waitpid(other), other);
      user::sleep_ms(50);
      EXPECT_EQ(find_process(stopped)->state, task_state::stopped);
      user::kill(-stopped, abi::sigkill);
      EXPECT_EQ(user::waitpid(stopped), stopped);
    });
    EXPECT_EQ(user::waitpid(shell), shell);
    while (user::wait() > 0) {
    }
  });
}

// The end of another member of a group that was an orphan before changes nothing.
TEST(orphans, are_told_once) {
  pc::machine machine;
  machine.run([] {
    const int script = user::fork([&] {
      user::call(call::setsid);
      const int stopped = user::fork([] { user::kill(user::pid(), abi::sigstop); });
      user::sleep_ms(20);
      const int command = user::fork([] {});
      EXPECT_EQ(user::waitpid(command), command);
      user::sleep_ms(20);
      EXPECT_EQ(find_process(stopped)->state, task_state::stopped);
      user::kill(stopped, abi::sigkill);
      EXPECT_EQ(user::waitpid(stopped), stopped);
      user::exit(7);
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(script, &status), script);
    EXPECT_EQ(status, 7u << 8) << "the script was ended by SIGHUP";
  });
}

// A daemon leads a session of its own. It is stopped when its father ends.
TEST(orphans, of_another_session_are_not_told_of_their_fathers_end) {
  pc::machine machine;
  machine.run([] {
    int daemon = 0;
    const int father = user::fork([&] {
      daemon = user::fork([&] {
        user::call(call::setsid);
        user::kill(user::pid(), abi::sigstop);
        user::exit(7);
      });
      user::sleep_ms(50);
    });
    EXPECT_EQ(user::waitpid(father), father);
    user::sleep_ms(50);
    EXPECT_EQ(find_process(daemon)->state, task_state::stopped);
    user::kill(daemon, abi::sigcont);
    u32 status = 0;
    EXPECT_EQ(user::waitpid(daemon, &status), daemon);
    EXPECT_EQ(status, 7u << 8);
  });
}

// A background process whose job has ended reads from the terminal.
TEST(orphans, cannot_read_from_the_terminal) {
  pc::machine machine;
  machine.run([] {
    i32 answer = 0;
    const int shell = user::fork([&] {
      user::call(call::setsid);
      const i32 console = user::open("/dev/console", abi::o_rdwr);
      const u32 group = user::room(4);
      user::put(group, user::pid());
      EXPECT_EQ(user::call(call::ioctl, static_cast<u32>(console), abi::tiocspgrp, group), 0);
      const int job = user::fork([&] {
        user::call(call::setpgid, 0, 0);
        user::fork([&] {
          user::sleep_ms(50);
          answer = user::call(call::read, static_cast<u32>(console), user::room(8), 8);
        });
      });
      EXPECT_EQ(user::waitpid(job), job);
      user::sleep_ms(200);
    });
    user::sleep_ms(150);
    EXPECT_EQ(answer, minus(error::eio)) << "it was stopped for ever";
    EXPECT_EQ(user::waitpid(shell), shell);
    user::kill(-1, abi::sigkill);
    while (user::wait() > 0) {
    }
  });
}

// Only SIGSTOP does.
TEST(orphans, are_not_stopped_by_a_terminal) {
  pc::machine machine;
  machine.run([] {
    for (const u32 signal : {abi::sigtstp, abi::sigttin, abi::sigttou}) {
      const int alone = user::fork([=] {
        user::call(call::setsid);
        user::kill(user::pid(), signal);
        user::exit(7);
      });
      u32 status = 0;
      EXPECT_EQ(user::waitpid(alone, &status, abi::wuntraced), alone);
      EXPECT_EQ(status, 7u << 8) << signal;
    }
  });
}

}  // namespace
