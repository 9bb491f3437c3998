// nanosleep, its rest, and what interrupts it.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "lib/result.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }

TEST(nanosleep, tells_what_is_left) {
  pc::machine machine;
  machine.run([] {
    user::set_handler(abi::sigalrm, user::handler([](u32) {}));
    const u32 time = user::room(8), left = user::room(8);
    user::put(time, abi::timespec{5, 0});
    user::call(call::alarm, 2);
    EXPECT_EQ(user::call(call::nanosleep, time, left), minus(error::eintr));
    const auto rest = user::get<abi::timespec>(left);
    EXPECT_EQ(rest.seconds, 3 - (rest.nanoseconds != 0));
    for (const abi::timespec& bad :
         {abi::timespec{-1, 0}, abi::timespec{0, -1}, abi::timespec{0, 1'000'000'000}}) {
      user::put(time, bad);
      EXPECT_EQ(user::call(call::nanosleep, time, 0), minus(error::einval));
    }
    user::put(time, abi::timespec{0, 0});
    EXPECT_EQ(user::call(call::nanosleep, time, 0), 0);
    EXPECT_EQ(user::call(call::nanosleep, 0, 0), minus(error::efault));
  });
}

i32 sleep_one_second() {
  const u32 time = user::room(sizeof(abi::timespec));
  user::put(time, abi::timespec{1, 0});
  return user::call(call::nanosleep, time, 0);
}

TEST(nanosleep, is_not_lengthened_by_a_stop) {
  pc::machine machine;
  machine.run([] {
    instant ended{};
    const int sleeper = user::fork([&] {
      EXPECT_EQ(sleep_one_second(), 0);
      ended = now();
    });
    const instant begun = now();
    user::sleep_ms(900);
    user::kill(sleeper, abi::sigstop);
    user::sleep_ms(50);
    user::kill(sleeper, abi::sigcont);
    EXPECT_EQ(user::wait(), sleeper);
    EXPECT_LE((ended - begun).milliseconds(), 1100);
  });
}

// The sleeper has been woken by SIGSTOP and has not run yet when SIGCONT takes that back: no signal
// is left. The sleep goes on, and so does the wait of another call.
TEST(nanosleep, does_not_end_with_a_stop_that_is_taken_back) {
  pc::machine machine;
  machine.run([] {
    const u32 ends = user::room(8);
    user::call(call::pipe, ends);
    const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
    const instant begun = now();
    const int sleeper = user::fork([&] {
      EXPECT_EQ(sleep_one_second(), 0);
      EXPECT_GE((now() - begun).milliseconds(), 1000);
      EXPECT_EQ(sleep_one_second(), 0);
      EXPECT_GE((now() - begun).milliseconds(), 2000) << "the next one has its whole length";
    });
    const int reader = user::fork([&] { EXPECT_EQ(user::read(from, 1), "x"); });
    user::sleep_ms(100);
    for (const int child : {sleeper, reader}) {
      user::kill(child, abi::sigstop);
      user::kill(child, abi::sigcont);
    }
    user::sleep_ms(100);
    EXPECT_EQ(user::write(to, "x"), 1);
    EXPECT_EQ(user::waitpid(reader), reader);
    EXPECT_EQ(user::waitpid(sleeper), sleeper);
    user::close(from);
    user::close(to);
  });
}

// A handler ends it. The next sleep, also one of the handler, has its whole length.
TEST(nanosleep, begins_anew_behind_a_handler) {
  pc::machine machine;
  machine.run([] {
    const int sleeper = user::fork([] {
      i32 inner = -1;
      instant handled{};
      user::set_handler(abi::sigusr1, user::handler([&](u32) {
                          const instant before = now();
                          inner = sleep_one_second();
                          handled = now();
                          EXPECT_GE((handled - before).milliseconds(), 1000);
                        }));
      EXPECT_EQ(sleep_one_second(), minus(error::eintr));
      EXPECT_EQ(inner, 0);
      EXPECT_EQ(sleep_one_second(), 0);
      EXPECT_GE((now() - handled).milliseconds(), 1000);
    });
    user::sleep_ms(500);
    user::kill(sleeper, abi::sigusr1);
    EXPECT_EQ(user::wait(), sleeper);
  });
}

}  // namespace
