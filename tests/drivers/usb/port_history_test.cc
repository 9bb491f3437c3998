// When a device in a port is served, by what has happened there before (port_history.h).
#include "drivers/usb/xhci/port_history.h"

#include <gtest/gtest.h>

#include <vector>

namespace xhci {
namespace {

constexpr instant begin{100'000'000'000};

// A device that is served as soon as it may be, and goes after `stays`: the rests before the
// visits, in seconds.
std::vector<i64> rests_of(port_history& port, instant& time, int visits, duration stays,
                          bool used = false) {
  std::vector<i64> rests;
  for (int i = 0; i < visits; ++i) {
    const instant came = time;
    while (port.rests(time)) time = time + 50_ms, port.look(false, time);
    rests.push_back((time - came).ns / 1'000'000'000);
    time = time + stays;
    port.end_visit(stays, used, time);
    port.look(false, time);
  }
  return rests;
}

TEST(port_history, gives_a_port_rests_that_grow) {
  for (const duration stays : {1_ms, 5_s}) {
    port_history port;
    instant time = begin;
    EXPECT_EQ(rests_of(port, time, 16, stays),
              (std::vector<i64>{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 32, 32}));
  }
}

TEST(port_history, tells_once_that_the_rests_begin) {
  port_history port;
  for (i64 i = 1; i < 20; ++i) EXPECT_EQ(port.end_visit(1_ms, false, begin), i == 8);
}

// A person pulls and plugs again.
TEST(port_history, slows_no_device_down_that_is_of_use) {
  for (const duration stays : {1_ms, 300_ms, 1_s, 10_s}) {
    port_history port;
    instant time = begin;
    EXPECT_EQ(rests_of(port, time, 100, stays, true), std::vector<i64>(100, 0));
  }
  port_history port;
  instant time = begin;
  EXPECT_EQ(rests_of(port, time, 100, 5001_ms), std::vector<i64>(100, 0)) << "it stays";
}

// Also a stay that begins after a rest is measured from its own beginning.
TEST(port_history, ends_the_row_with_a_visit_that_is_long_or_of_use) {
  for (const bool used : {true, false}) {
    port_history port;
    instant time = begin;
    rests_of(port, time, 12, 1_ms);
    EXPECT_EQ(rests_of(port, time, 1, used ? 10_ms : 5100_ms, used).back(), 16);
    EXPECT_EQ(rests_of(port, time, 9, 1_ms), (std::vector<i64>{0, 0, 0, 0, 0, 0, 0, 0, 1}));
  }
}

TEST(port_history, forgets_everything_when_the_port_is_empty_for_a_while) {
  for (const bool enough : {false, true}) {
    port_history port;
    instant time = begin;
    rests_of(port, time, 12, 1_ms);
    for (int i = 0; i < 3; ++i) port.blame();
    time = time + (enough ? 5_s : 4900_ms);
    port.look(true, time);
    EXPECT_EQ(port.rests(time), !enough);
    EXPECT_EQ(port.is_left_alone(), !enough);
    if (enough) {
      EXPECT_EQ(rests_of(port, time, 9, 1_ms).back(), 1);
    }
  }
}

TEST(port_history, leaves_a_device_alone_after_three_deaths) {
  port_history port;
  for (int deaths = 0; deaths < 4; ++deaths) {
    EXPECT_EQ(port.is_left_alone(), deaths >= 3);
    port.blame();
  }
  port.forgive();
  EXPECT_FALSE(port.is_left_alone());
}

u32 deaths_until_left_alone(port_history& port) {
  for (u32 deaths = 0;; ++deaths, port.blame())
    if (port.is_left_alone()) return deaths;
}

TEST(port_history, needs_twice_as_many_deaths_after_an_acquittal) {
  port_history port;
  port.acquit();
  EXPECT_FALSE(port.was_acquitted()) << "it was not left alone";
  for (const u32 deaths : {3u, 6u, 12u, 24u, 24u}) {
    EXPECT_EQ(port.was_acquitted(), deaths > 3);
    EXPECT_EQ(deaths_until_left_alone(port), deaths);
    port.acquit();
    EXPECT_FALSE(port.is_left_alone());
  }
  port.forgive();
  EXPECT_EQ(deaths_until_left_alone(port), 24u);
  port.note_pull();
  EXPECT_EQ(deaths_until_left_alone(port), 3u) << "it is another device";
}

}  // namespace
}  // namespace xhci
