// The terminal and job control (tty.h): the foreground group, SIGTTIN and SIGTTOU, the session's
// end.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "drivers/char/tty.h"
#include "tests/drivers/char/terminal.h"
#include "tests/sim/scheduler.h"

namespace {

TEST(tty_jobs, the_foreground_group_is_the_one_that_was_set) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.foreground(), 0);
    EXPECT_EQ(tty.set_foreground(42), 0u);
    EXPECT_EQ(tty.foreground(), 42);
    tty.group = 42;
    EXPECT_EQ(tty.set_foreground(43), 0u);
    EXPECT_EQ(tty.foreground(), 43);
  });
}

TEST(tty_jobs, a_background_process_that_reads_gets_sigttin) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(2), 0u);
    tty.type("x\n");
    tty.group = 3;
    EXPECT_EQ(tty.read(), "errno 4") << "it is stopped and reads again";
    EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{3, abi::sigttin}}));
    sim::forget_signal();
    tty.accepts_stops = false;
    EXPECT_EQ(tty.read(), "errno 5") << "it ignores the signal";
    tty.group = 2;
    EXPECT_EQ(tty.read(), "x\n") << "nothing was taken";
    EXPECT_EQ(tty.signals.size(), 1u);
  });
}

TEST(tty_jobs, a_background_orphan_that_reads_gets_eio) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(2), 0u);
    tty.type("x\n");
    tty.group = 3;
    tty.is_orphan = true;
    EXPECT_EQ(tty.read(), "errno 5");
    EXPECT_TRUE(tty.signals.empty());
    tty.group = 2;
    EXPECT_EQ(tty.read(), "x\n") << "in the foreground it reads";
  });
}

TEST(tty_jobs, a_group_that_is_not_of_the_session_cannot_be_in_the_foreground) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(1), 0u);
    EXPECT_EQ(tty.set_foreground(NO_GROUP), fail(error::eperm));
    EXPECT_EQ(tty.set_foreground(0), fail(error::eperm));
    EXPECT_EQ(tty.set_foreground(-1), fail(error::einval));
    EXPECT_EQ(tty.foreground(), 1);
  });
}

// A process may lose the foreground while it sleeps: what is typed then is not for it.
TEST(tty_jobs, a_reader_that_loses_the_foreground_gets_sigttin) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(1), 0u);
    reading reader(tty);
    EXPECT_EQ(tty.set_foreground(2), 0u);
    reader.fiber.join();
    EXPECT_EQ(reader.got, "errno 4") << "it is stopped and reads again";
    EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{1, abi::sigttin}}));
    tty.group = 2;
    tty.type("x\n");
    EXPECT_EQ(tty.read(), "x\n");
  });
}

TEST(tty_jobs, a_reader_of_an_ended_session_leaves_the_input_to_the_next) {
  with_terminal([](terminal& tty) {
    tty.session = 5;
    EXPECT_EQ(tty.set_foreground(1), 0u);
    reading reader(tty);
    tty_session_ended(5);
    tty.session = 6;
    EXPECT_EQ(tty.set_foreground(2), 0u);
    tty.is_orphan = true;
    reader.fiber.join();
    EXPECT_EQ(reader.got, "errno 5");
    tty.group = 2;
    tty.type("x\n");
    EXPECT_EQ(tty.read(), "x\n");
  });
}

// What a process in the background may not do, each called once.
result<u32> write_one(terminal& tty) { return tty.write("x"); }
result<u32> change_settings(terminal& tty) {
  abi::termios t = tty.settings();
  t.lflag &= ~abi::tty_echo;
  return tty.ioctl(abi::tcsets, &t, sizeof t);
}
result<u32> flush(terminal& tty) {
  abi::termios t = tty.settings();
  return tty.ioctl(abi::tcsetsf, &t, sizeof t);
}
result<u32> take_terminal(terminal& tty) { return tty.set_foreground(3); }

void for_each_change(const std::function<void(terminal&, result<u32> (*)(terminal&))>& body) {
  for (auto* const change : {write_one, change_settings, flush, take_terminal})
    with_terminal([&](terminal& tty) {
      tty.set_local(tty.settings().lflag | abi::tty_tostop);
      EXPECT_EQ(tty.set_foreground(2), 0u);
      tty.group = 3;
      body(tty, change);
    });
}

TEST(tty_jobs, a_background_process_that_changes_the_terminal_gets_sigttou) {
  for_each_change([](terminal& tty, auto* change) {
    const abi::termios before = tty.settings();
    EXPECT_EQ(change(tty), fail(error::eintr));
    EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{3, abi::sigttou}}));
    EXPECT_EQ(tty.foreground(), 2);
    EXPECT_EQ(tty.settings().lflag, before.lflag);
    EXPECT_EQ(tty.shown(), "");
    sim::forget_signal();
    tty.group = 2;
    EXPECT_TRUE(change(tty)) << "in the foreground it may";
    EXPECT_EQ(tty.signals.size(), 1u);
  });
}

TEST(tty_jobs, a_process_that_ignores_sigttou_may_change_the_terminal) {
  for_each_change([](terminal& tty, auto* change) {
    tty.accepts_stops = false;
    tty.is_orphan = true;
    EXPECT_TRUE(change(tty));
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_jobs, a_background_orphan_that_changes_the_terminal_gets_eio) {
  for_each_change([](terminal& tty, auto* change) {
    tty.is_orphan = true;
    EXPECT_EQ(change(tty), fail(error::eio));
    EXPECT_TRUE(tty.signals.empty());
    EXPECT_EQ(tty.foreground(), 2);
  });
}

TEST(tty_jobs, a_call_for_no_bytes_stops_no_process) {
  with_terminal([](terminal& tty) {
    tty.set_local(tty.settings().lflag | abi::tty_tostop);
    EXPECT_EQ(tty.set_foreground(2), 0u);
    tty.group = 3;
    EXPECT_EQ(tty.read(0), "");
    EXPECT_EQ(tty.write(""), 0u);
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_jobs, without_tostop_everybody_writes) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(2), 0u);
    tty.group = 3;
    EXPECT_EQ(tty.write("x"), 1u);
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_jobs, without_a_foreground_group_everybody_reads) {
  with_terminal([](terminal& tty) {
    tty.group = 3;
    tty.type("x\n");
    EXPECT_EQ(tty.read(), "x\n");
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_jobs, the_end_of_its_session_hangs_up) {
  with_terminal([](terminal& tty) {
    tty.session = 5;
    EXPECT_EQ(tty.set_foreground(9), 0u);
    tty_session_ended(4);
    EXPECT_TRUE(tty.signals.empty());
    EXPECT_EQ(tty.foreground(), 9);
    tty_session_ended(5);
    EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{9, abi::sighup}}));
    EXPECT_EQ(tty.foreground(), 0);

    tty.session = 6;
    EXPECT_EQ(tty.set_foreground(10), 0u);
    tty_session_ended(5);
    EXPECT_EQ(tty.foreground(), 10) << "it belongs to another session now";
    tty_session_ended(6);
    tty_session_ended(6);
    EXPECT_EQ(tty.signals.size(), 2u) << "no group, no signal";
  });
}

// The next shell must find a terminal on which ^C works, and no rest of a line of the last one.
TEST(tty_jobs, after_its_session_the_terminal_is_as_at_the_start) {
  with_terminal([](terminal& tty) {
    const abi::termios first = tty.settings();
    tty.session = 5;
    EXPECT_EQ(tty.set_foreground(9), 0u);
    tty.group = 9;
    tty.set_local(0);
    tty.set_raw(3, 7);
    tty.set_output(0);
    tty.type("left");
    tty_session_ended(4);
    EXPECT_EQ(tty.settings().lflag, 0u) << "another session has ended";
    tty_session_ended(5);
    const abi::termios is = tty.settings();
    EXPECT_EQ(std::memcmp(&is, &first, sizeof is), 0);
    tty.type("x\n");
    EXPECT_EQ(tty.read(), "x\n");
  });
}

TEST(tty_jobs, after_its_session_the_terminal_belongs_to_none) {
  with_terminal([](terminal& tty) {
    tty.session = 5;
    EXPECT_EQ(tty.set_foreground(9), 0u);
    tty_session_ended(5);
    tty.session = 0;  // of kernel tasks
    EXPECT_EQ(tty.set_foreground(9), 0u);
    tty_session_ended(5);
    EXPECT_EQ(tty.signals.size(), 1u);
  });
}

}  // namespace
