// After a death of the controller its devices wait for each other, so that the one that causes the
// next death is found, also beside a stick that works all the time. Over the simulated controller.
#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "hal/memory.h"
#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

using checkpoint::volume_state;

// Reads its stick without a pause, also when that has come back.
auto reader_of(dev_id from, const bool& ends) {
  return spawn("reader", [from, &ends] {
    const std::span<byte> memory = allocate_pages(1);
    for (; !ends; sleep_for(100_us))
      if (state_of(from) == volume_state::live)
        static_cast<void>(read_blocks(*disk_of(from)->device, lba{64}, memory));
    free_pages(memory);
  });
}

// A stick that answers too slowly to come up does not keep the others waiting.
TEST(usb_dead_controller, lets_its_devices_wait_three_seconds_for_another) {
  bench b(3);
  medium slow(2048, "SLOW");
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    slow.plug(b.machine.port(1));
    sleep_for(1_s);
    b.hardware().break_down();
    while (!b.machine.driver().dead()) sleep_for(1_ms);
    b.hardware().fail_transfer = {.left = 1, .code = 0, .port = 1};
    while (b.machine.driver().dead() || times_said("xhci0: version") < 2) sleep_for(1_ms);
    const i64 waited = b.until_live(10_s).ns;
    EXPECT_GE(waited, (2800_ms).ns);
    EXPECT_LE(waited, (3500_ms).ns);
    slow.pull();
  });
}

// The limit of that wait doubles. The stick in port 1 is read all the time.
TEST(usb_dead_controller, lets_its_devices_wait_longer_after_each_failure) {
  bench b(1);
  medium other(2048, "OTHER");
  constexpr dev_id waits(8, 16);
  b.stick.least_latency = b.stick.most_latency = 100_ms;
  b.run(1, [&] {
    b.plug();
    b.until_live(5_s);
    other.plug(b.machine.port(3));
    sleep_for(1_s);
    u32 starts = 1;
    for (const i64 seconds : {3, 6, 12, 24, 48, 48}) {
      b.hardware().break_down();
      ++starts;
      while (times_said("xhci0: version") < starts) sleep_for(1_ms);
      const instant started = now();
      bool ends = false;
      const auto reader = reader_of(sda, ends);
      while (state_of(waits) != volume_state::live && now() - started < 60_s) sleep_for(1_ms);
      const i64 waited = (now() - started).ns;
      EXPECT_GE(waited, seconds * (1_s).ns);
      EXPECT_LE(waited, seconds * (1_s).ns + (600_ms).ns);
      ends = true;
      reader.join();
      while (b.machine.driver().port_at_work()) sleep_for(1_ms);
    }
    other.pull();
  });
}

// The stick in port 1 is busy, so that two devices are at work at each death.
TEST(usb_deadly_device, is_found_beside_a_busy_stick) {
  for_each_seed(3, [](u64 seed) {
    bench b(super_speed);
    medium bad(2048, "BAD");
    b.stick.least_latency = b.stick.most_latency = 100_ms;
    b.run(seed, [&] {
      b.plug();
      b.until_live(5_s);
      bool ends = false;
      const auto reader = reader_of(sda, ends);
      b.hardware().deadly_port = 2;
      bad.plug(b.machine.port(2));
      sleep_for(30_s);
      EXPECT_LE(times_said("host controller error"), 6u);
      EXPECT_EQ(times_said("usb 0-2: the controller has died of it"), 1u);
      EXPECT_FALSE(said("usb 0-1: the controller has died of it"));
      EXPECT_TRUE(b.is_live());
      ends = true;
      reader.join();
      b.works(0x35);
      bad.pull();
    });
  });
}

// It shows its device some moments after the start.
TEST(usb_deadly_device, is_waited_for_when_it_is_the_suspect) {
  bench b(super_speed);
  medium bad(2048, "BAD");
  b.stick.least_latency = b.stick.most_latency = 100_ms;
  b.run(1, [&] {
    b.plug();
    b.until_live(5_s);
    bool ends = false;
    const auto reader = reader_of(sda, ends);
    b.hardware().deadly_port = 2;
    bad.plug(b.machine.port(2));
    instant started = now();
    for (int ms = 0; ms < 30'000; ++ms, sleep_for(1_ms)) {
      if (b.machine.driver().dead()) {
        started = now();
        if (bad.plugged()) bad.pull();  // while the controller starts, it shows nothing
      } else if (!bad.plugged() && now() - started > 300_ms) {
        bad.plug(b.machine.port(2));
      }
    }
    EXPECT_EQ(times_said("usb 0-2: the controller has died of it"), 1u);
    EXPECT_FALSE(said("it fails again and again"));
    EXPECT_TRUE(b.is_live());
    ends = true;
    reader.join();
    bad.pull();
  });
}

// It works for five seconds before it causes a death; both are busy.
TEST(usb_deadly_device, is_found_also_when_it_kills_late) {
  bench b(super_speed);
  medium bad(2048, "BAD");
  for (medium* each : {&b.stick, &bad}) each->least_latency = each->most_latency = 100_ms;
  b.run(1, [&] {
    b.plug();
    b.until_live(5_s);
    bad.plug(b.machine.port(2));
    sleep_for(3_s);
    EXPECT_EQ(state_of(dev_id(8, 16)), volume_state::live);
    bool ends = false;
    const auto one = reader_of(sda, ends), another = reader_of(dev_id(8, 16), ends);
    instant since = now();
    for (int ms = 0; ms < 200'000; ++ms, sleep_for(1_ms)) {
      const xhci::device* d = b.machine.driver().port(2).occupant;
      if (b.machine.driver().dead() || !d || d->comes_up()) since = now();
      b.hardware().deadly_port = now() - since >= 5_s ? 2 : 0;
    }
    EXPECT_EQ(times_said("usb 0-2: the controller has died of it"), 1u);
    EXPECT_FALSE(said("usb 0-1: the controller has died of it"));
    EXPECT_FALSE(said("it fails again and again"));
    EXPECT_TRUE(b.is_live());
    ends = true;
    one.join();
    another.join();
    bad.pull();
  });
}

}  // namespace
}  // namespace sim
