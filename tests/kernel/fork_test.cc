// fork and the ends of processes.
#include <gtest/gtest.h>

#include "kernel/sched.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

TEST(fork, a_child_ends_and_is_waited_for) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::pid(), 1);
    const int child = user::fork([] { user::exit(7); });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, 7u << 8);
    EXPECT_EQ(user::wait(), -to_errno(error::echild));
  });
}

}  // namespace
