// Devices and controllers that are worse than their specification: the others live on, and a good
// device afterwards is served. Over the simulated controller.
#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "hal/memory.h"
#include "tests/drivers/usb/stick_bench.h"
#include "tests/sim/irq.h"

namespace sim {
namespace {

using checkpoint::volume_state;

constexpr u8 irq = 11;

u32 times_said(const std::string& text) {
  u32 count = 0;
  const std::string& console = here().console();
  for (size_t at = console.find(text); at != std::string::npos; at = console.find(text, at + 1))
    ++count;
  return count;
}

// --- the state of an endpoint is shown late (4.8.3) ---

// A write hangs and the stick is reset: its endpoints are stopped while they are shown in another
// state than they are in.
void recovers_with(const std::function<void(hc::controller&)>& trouble) {
  for (const place& where : {super_speed, high_speed})
    for_each_seed(3, [&](u64 seed) {
      bench b(where);
      b.run(seed, [&] {
        b.plug();
        b.until_live(1_s);
        trouble(b.hardware());
        for (u8 i = 1; i < 4; ++i) {
          b.hang_at_the_next_write();
          EXPECT_TRUE(fill_block(sda, 5, i));
          EXPECT_TRUE(sys_sync());
          EXPECT_TRUE(block_is(b.stick.durable(), 5, i));
        }
        EXPECT_FALSE(said("an endpoint cannot be stopped"));
        b.hardware().late_states = b.hardware().late_starts = {};
      });
    });
}

TEST(usb_late_states, cost_no_controller) {
  recovers_with([](hc::controller& hardware) { hardware.late_states = 60_ms; });
}

// The stick stalls, and the class driver resets it at once.
TEST(usb_late_states, of_an_endpoint_that_has_halted) {
  for_each_seed(5, [](u64 seed) {
    bench b(super_speed);
    b.run(seed, [&] {
      b.plug();
      b.until_live(1_s);
      b.hardware().late_states = 60_ms;
      for (u8 i = 1; i < 6; ++i) {
        b.hardware().fail_transfer = {.left = 1 + i % 3u, .code = hc::transaction_error};
        EXPECT_TRUE(fill_block(sda, 5, i));
        static_cast<void>(sys_sync());
      }
      sleep_for(5_s);
      EXPECT_TRUE(sys_sync());
      EXPECT_TRUE(block_is(b.stick.durable(), 5, 5));
      EXPECT_FALSE(said("an endpoint cannot be stopped"));
      b.hardware().late_states = {};
    });
  });
}

// One that never stops costs the controller: it may move data as long as it runs.
TEST(usb_late_states, of_an_endpoint_that_does_not_stop) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    b.hang_at_the_next_write();
    EXPECT_TRUE(fill_block(sda, 5, 0x11));
    const auto writer = spawn("writer", [] { static_cast<void>(sys_sync()); });
    sleep_for(1_s);
    b.hardware().fail_command = {.left = 1, .code = hc::context_state_error, .in_a_row = 300};
    while (!said("an endpoint cannot be stopped")) sleep_for(1_ms);
    b.hardware().fail_command = {};
    writer.join();
    b.until_live(2_s);
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x11));
  });
}

// --- a device that breaks the controller down ---

// Good sticks in the ports 1 and 3, and in port 2 a device whose transfers kill the controller.
TEST(usb_deadly_device, is_left_alone_and_the_others_live_on) {
  for_each_seed(10, [](u64 seed) {
    bench b(super_speed);
    medium other(2048, "OTHER"), bad(2048, "BAD");
    b.run(seed, [&] {
      b.plug();
      other.plug(b.machine.port(3));
      sleep_for(2_s);
      b.hardware().deadly_port = 2;
      bad.plug(b.machine.port(2));
      sleep_for(20_s);
      EXPECT_FALSE(said("given up"));
      EXPECT_LE(times_said("host controller error"), 5u);
      EXPECT_EQ(times_said("usb 0-2: the controller has died of it; it is left alone until it is "
                           "pulled"),
                1u);
      EXPECT_NE(listed().find("Port 002"), std::string::npos);
      EXPECT_NE(listed().find("not used: the controller has died of it"), std::string::npos);
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_EQ(state_of(dev_id(8, 16)), volume_state::live);
      b.works(0x21);
      bad.pull();
      sleep_for(1_s);
      EXPECT_EQ(listed().find("Port 002"), std::string::npos);
      b.hardware().deadly_port = 0;
      bad.plug(b.machine.port(2));  // it is looked at again
      sleep_for(1_s);
      EXPECT_TRUE(b.machine.stick_of(bad).ready_for_use());
      bad.pull();
      other.pull();
    });
  });
}

// Two of them are not too many, either.
TEST(usb_deadly_device, may_come_with_another) {
  bench b(super_speed);
  medium bad(2048, "BAD"), worse(2048, "WORSE");
  b.run(1, [&] {
    b.plug();
    sleep_for(1_s);
    b.hardware().deadly_port = 2;
    bad.plug(b.machine.port(2));
    sleep_for(10_s);
    b.hardware().deadly_port = 4;
    worse.plug(b.machine.port(4));
    sleep_for(20_s);
    EXPECT_FALSE(said("given up"));
    EXPECT_EQ(state_of(sda), volume_state::live);
    bad.pull();
    worse.pull();
  });
}

using moment = hc::controller::moment;

// Before it has a slot: no command and no doorbell names it.
TEST(usb_deadly_device, is_found_before_it_has_a_slot) {
  for (const moment when : {moment::reset_of_its_port, moment::enabling_a_slot})
    for_each_seed(5, [&](u64 seed) {
      bench b(super_speed);
      medium bad(2048, "BAD");
      b.run(seed, [&] {
        b.plug();
        b.until_live(1_s);
        b.hardware().deadly_moment = when;
        b.hardware().deadly_port = 4;
        bad.plug(b.machine.port(4));
        sleep_for(15_s);
        EXPECT_EQ(times_said("host controller error"), 3u);
        EXPECT_EQ(times_said("usb 0-4: the controller has died of it"), 1u);
        EXPECT_FALSE(said("it fails again and again"));
        b.until_live(1_s);
        b.works(0x22);
        bad.pull();
      });
    });
}

// All come up at once at boot, and one of them is deadly. After the first death they come up one
// after another, and it is found; the others are not left alone.
TEST(usb_deadly_device, is_found_among_those_that_are_there_at_boot) {
  for (const u32 its_port : {2u, 3u, 4u})
    for_each_seed(5, [&](u64 seed) {
      bench b(super_speed);
      medium bad(2048, "BAD"), other(2048, "OTHER");
      const u32 another = its_port == 3 ? 4 : 3;
      b.run(seed, [&] {
        b.hardware().break_down();
        b.plug();
        other.plug(b.machine.port(another));
        bad.plug(b.machine.port(its_port));
        b.hardware().deadly_port = its_port;
        sleep_for(15_s);
        EXPECT_LE(times_said("host controller error"), 6u);
        EXPECT_EQ(times_said("the controller has died of it"), 1u);
        EXPECT_EQ(times_said("usb 0-" + std::to_string(its_port) + ": the controller has died"),
                  1u);
        EXPECT_EQ(state_of(sda), volume_state::live);
        EXPECT_EQ(state_of(dev_id(8, 16)), volume_state::live);
        bad.pull();
        other.pull();
      });
    });
}

// The device was pulled in the moment of the death: what is in the port now is another one.
TEST(usb_deadly_device, is_not_the_one_that_takes_its_place) {
  bench b(3);
  medium bad(2048, "BAD");
  b.run(1, [&] {
    b.hardware().deadly_port = 3;
    bad.plug(b.machine.port(3));
    const auto is_broken = [&] {
      return b.hardware().read32(hc::operational_base + hc::usbsts) & hc::sts_error;
    };
    for (int deaths = 0; deaths < 3; ++deaths) {
      while (!b.machine.driver().dead() && !is_broken()) sleep_for(100_us);
      EXPECT_FALSE(b.machine.driver().dead()) << "it does not know yet";
      medium& old = bad.plugged() ? bad : b.stick;
      medium& next = bad.plugged() ? b.stick : bad;
      old.pull();
      sleep_for(1100_us);
      next.plug(b.machine.port(3));
      while (!b.machine.driver().dead()) sleep_for(1_ms);
      if (deaths == 2) b.hardware().deadly_port = 0;
      while (b.machine.driver().dead()) sleep_for(1_ms);
      sleep_for(50_ms);  // its reset is over
    }
    b.until_live(5_s);
    EXPECT_TRUE(b.stick.plugged());
    EXPECT_FALSE(said("the controller has died of it"));
  });
}

// A stick that was blamed, and the device that explains the deaths.
TEST(usb_deadly_device, takes_the_blame_from_the_others) {
  bench b(super_speed);
  medium bad(2048, "BAD");
  b.run(1, [&] {
    b.plug();
    const auto dies_of_the_stick = [&] {
      b.until_live(5_s);
      b.hardware().deadly_port = 1;
      EXPECT_TRUE(fill_block(sda, 6, 1));
      const auto writer = spawn("writer", [] { static_cast<void>(sys_sync()); });
      while (!b.machine.driver().dead()) sleep_for(1_ms);
      b.hardware().deadly_port = 0;
      writer.join();
    };
    dies_of_the_stick();
    dies_of_the_stick();
    b.until_live(5_s);
    b.hardware().deadly_port = 3;
    bad.plug(b.machine.port(3));
    sleep_for(10_s);
    EXPECT_EQ(times_said("usb 0-3: the controller has died of it"), 1u);
    dies_of_the_stick();
    b.until_live(5_s);
    EXPECT_FALSE(said("usb 0-1: the controller has died of it"));
    bad.pull();
  });
}

// The controller dies of a stick that works, as often as is needed to leave it alone.
void leave_alone(bench& b, u32 deaths) {
  for (u32 i = 0; i < deaths; ++i) {
    b.until_live(5_s);
    b.hardware().deadly_port = 1;
    EXPECT_TRUE(fill_block(sda, 6, 1));
    const auto writer = spawn("writer", [] { static_cast<void>(sys_sync()); });
    while (!b.machine.driver().dead()) sleep_for(1_ms);
    b.hardware().deadly_port = 0;
    writer.join();
    while (b.machine.driver().dead()) sleep_for(1_ms);
  }
  sleep_for(2_s);
  EXPECT_FALSE(b.is_live());
  EXPECT_NE(listed().find("not used: the controller has died of it"), std::string::npos);
}

// The controller goes on dying, although the stick is left alone: the stick is not the cause. The
// next time it takes more deaths.
TEST(usb_deadly_device, is_acquitted_when_the_controller_dies_without_it) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    leave_alone(b, 3);
    b.hardware().break_down();
    b.until_live(5_s);
    b.works(0x31);
    leave_alone(b, 6);
    sleep_for(61_s);
    b.hardware().break_down();
    sleep_for(5_s);
    EXPECT_FALSE(b.is_live()) << "without it the controller was healthy for long";
    b.hardware().break_down();
    b.until_live(5_s);
    b.works(0x32);
  });
}

// The device that is found later explains the deaths before it was found.
TEST(usb_deadly_device, acquits_the_one_that_was_left_alone_before) {
  bench b(super_speed);
  medium bad(2048, "BAD");
  b.run(1, [&] {
    b.plug();
    leave_alone(b, 3);
    b.hardware().deadly_port = 3;
    bad.plug(b.machine.port(3));
    b.until_live(15_s);
    EXPECT_EQ(times_said("host controller error"), 6u);
    sleep_for(5_s);
    EXPECT_EQ(times_said("host controller error"), 6u);
    EXPECT_TRUE(b.is_live());
    b.works(0x33);
    EXPECT_NE(listed().find("Port 003"), std::string::npos);
    bad.pull();
  });
}

// Two that are both deadly are both found in the end, and a good stick beside them is of use.
TEST(usb_deadly_device, takes_no_turns_with_another) {
  bench b(super_speed);
  medium bad(2048, "BAD"), worse(2048, "WORSE");
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    const auto kills = [&] {  // for a minute: the one of the two that is served
      for (int ms = 0; ms < 60'000; ++ms, sleep_for(1_ms)) {
        const xhci::device* first = b.machine.driver().port(2).occupant;
        b.hardware().deadly_port = first ? 2 : 4;
      }
    };
    b.hardware().deadly_port = 2;
    bad.plug(b.machine.port(2));
    while (!said("host controller error")) sleep_for(1_ms);
    worse.plug(b.machine.port(4));
    kills();
    const u32 deaths = times_said("host controller error");
    EXPECT_LE(deaths, 20u);
    EXPECT_GE(deaths, 6u);
    kills();
    EXPECT_EQ(times_said("host controller error"), deaths);
    b.until_live(1_s);
    b.works(0x34);
    bad.pull();
    worse.pull();
  });
}

// A stick that was healthy for a long time before each death.
TEST(usb_deadly_device, is_no_stick_that_was_healthy_for_long) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    for (u8 i = 1; i <= 5; ++i) {
      b.until_live(3_s);
      b.works(i);
      sleep_for(61_s);
      b.hardware().deadly_port = 1;
      EXPECT_TRUE(fill_block(sda, 6, i));
      const auto writer = spawn("writer", [] { static_cast<void>(sys_sync()); });
      while (!b.machine.driver().dead()) sleep_for(1_ms);
      b.hardware().deadly_port = 0;
      writer.join();
    }
    b.until_live(3_s);
    EXPECT_FALSE(said("the controller has died of it"));
  });
}

// It connects so late after each start that its connection is no part of the start. It is not
// pulled, so it is not forgiven.
TEST(usb_deadly_device, is_not_forgiven_because_it_connects_late) {
  for (const duration resets_take : {20_ms, 8_s}) {
    bench b(super_speed, {.reset_time = resets_take});
    medium bad(2048, "BAD");
    b.run(1, [&] {
      b.plug();
      b.until_live(10_s);
      b.hardware().deadly_port = 3;
      instant started = now();
      for (int i = 0; i < 120'000; ++i, sleep_for(1_ms)) {
        if (b.machine.driver().dead()) {
          started = now();
          if (bad.plugged()) bad.pull();  // while the controller starts, it shows nothing
        } else if (!bad.plugged() && now() - started > 2_s) {
          bad.plug(b.machine.port(3));
        }
      }
      EXPECT_EQ(times_said("host controller error"), 3u);
      EXPECT_EQ(times_said("usb 0-3: the controller has died of it"), 1u);
      bad.pull();
    });
  }
}

// Two served devices have transfers under way: neither is blamed.
TEST(usb_deadly_device, is_not_guessed_among_several) {
  bench b(super_speed);
  medium other(2048, "OTHER");
  b.run(1, [&] {
    b.plug();
    sleep_for(1_s);
    other.plug(b.machine.port(3));
    sleep_for(1_s);
    for (int i = 0; i < 4; ++i) {
      b.until_live(65_s);
      sleep_for(3_s);
      for (medium* each : {&b.stick, &other})
        b.machine.stick_of(*each).meddle = [](u8, usb_stick::answer& answer) {
          answer.hang = true;
        };
      const auto read = [](dev_id from) {
        return spawn("reader", [from] {
          const std::span<byte> memory = allocate_pages(1);
          static_cast<void>(read_blocks(*disk_of(from)->device, lba{64}, memory));
          free_pages(memory);
        });
      };
      const auto one = read(sda);
      sleep_for(500_ms);
      xhci::controller& driver = b.machine.driver();
      xhci::root_port* const reads = driver.port_at_work();  // the names may have been exchanged
      xhci::root_port* const rests = &driver.port(reads == &driver.port(1) ? 3 : 1);
      EXPECT_TRUE(reads == &driver.port(1) || reads == &driver.port(3));
      EXPECT_EQ(driver.port_at_work(reads), reads);
      EXPECT_EQ(driver.port_at_work(rests), nullptr) << "one waits, one was asked";
      const auto another = read(dev_id(8, 16));
      sleep_for(500_ms);
      b.hardware().break_down();
      for (medium* each : {&b.stick, &other}) {
        b.machine.stick_of(*each).meddle = nullptr;
        b.machine.stick_of(*each).stop_hanging();
      }
      one.join();
      another.join();
    }
    b.until_live(5_s);
    EXPECT_FALSE(said("the controller has died of it"));
    other.pull();
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

// Each pull costs the controller its life: at once, or when it is to give the slot back. After
// each, the next plug is served without a pause.
TEST(usb_dead_controller, has_no_pause_after_pulls) {
  enum class death : u8 { in_the_same_moment, before_it_is_noticed, some_time_later, by_a_command };
  for (const death when : {death::in_the_same_moment, death::before_it_is_noticed,
                           death::some_time_later, death::by_a_command})
    for (const u32 port : {1u, 3u}) {
      bench b(port);
      b.run(port, [&] {
        for (u8 i = 1; i <= 8; ++i) {
          b.plug();
          EXPECT_LT(b.until_live(5_s).ns, (1_s).ns) << int{i};
          b.works(i);
          if (when == death::before_it_is_noticed) b.hardware().break_down();
          if (when == death::by_a_command) b.hardware().hang_command = u32{hc::cmd_disable_slot};
          b.hardware().ring_never_stops = when == death::by_a_command;
          b.stick.pull();
          if (when == death::some_time_later) sleep_for(500_ms);
          if (when < death::by_a_command) b.hardware().break_down();
          for (int ms = 0; ms < 15'000 && !b.machine.driver().dead(); ++ms) sleep_for(1_ms);
          EXPECT_TRUE(b.machine.driver().dead());
          while (b.machine.driver().dead()) sleep_for(1_ms);
          b.hardware().ring_never_stops = false;
        }
        EXPECT_FALSE(said("it fails again and again"));
      });
    }
}

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

// --- a culprit beside a stick that works all the time ---

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

// --- a controller that fails again and again ---

TEST(usb_dead_controller, is_started_once_a_minute_and_serves_again) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    b.hardware().off_the_bus = true;
    sleep_for(600_s);
    EXPECT_EQ(times_said("does not start"), 4u);
    EXPECT_EQ(times_said("xhci0: it fails again and again; it is tried after pauses\n"), 1u);
    b.hardware().off_the_bus = false;
    b.until_live(65_s);
    b.works(0x23);
  });
}

// During the pause a stick is plugged in again, as quickly as a hand can, or after some time.
TEST(usb_dead_controller, sees_a_replug_in_its_pause) {
  for (const duration away : {300_ms, 10_s})
    for (const u32 port : {1u, 3u}) {
      bench b(port);
      b.run(port, [&] {
        b.plug();
        b.until_live(1_s);
        while (!said("it fails again and again")) {
          b.hardware().break_down();
          sleep_for(1_s);
        }
        sleep_for(5_s);
        b.stick.pull();
        sleep_for(away);
        b.plug();
        EXPECT_LT(b.until_live(5_s).ns, (3_s).ns);
        b.works(0x24);
      });
    }
}

// --- lsusb and a dead controller ---

TEST(usb_list, shows_no_device_of_a_controller_that_does_not_start) {
  bench b(super_speed);
  b.run(1, [&] {
    b.function().interface_class = 3;
    b.plug();
    sleep_for(1_s);
    EXPECT_NE(listed().find("no driver for this device"), std::string::npos);
    b.hardware().off_the_bus = true;
    sleep_for(10_s);
    EXPECT_TRUE(said("it fails again and again"));
    EXPECT_EQ(listed(), "");
    leave_open("the controller has left the bus");
    b.stick.pull();
  });
}

TEST(usb_list, shows_a_low_speed_device_as_not_used) {
  for (const u8 interface_class : {u8{3}, u8{8}})
    for (const u32 port : {3u, 4u}) {
      bench b(super_speed);
      medium keyboard(2048, "KEYBOARD");
      usb_stick& function = b.machine.stick_of(keyboard);
      function.low_speed = true;
      function.interface_class = interface_class;
      b.run(port, [&] {
        b.plug();
        b.until_live(1_s);
        keyboard.plug(b.machine.port(port));
        sleep_for(20_s);
        EXPECT_TRUE(said("new low-speed device"));
        EXPECT_NE(listed().find(" 1.5M "), std::string::npos) << listed();
        EXPECT_NE(listed().find("not used: "), std::string::npos) << listed();
        b.works(0x31);
        keyboard.pull();
        sleep_for(1_s);
        EXPECT_EQ(listed().find(" 1.5M "), std::string::npos);
        b.works(0x32);
      });
    }
}

TEST(usb_list, shows_every_kind_of_superspeed) {
  for (const u32 id : {4u, 5u, 6u, 7u, 9u}) {
    bench b(super_speed, {.super_speed_id = id});
    b.run(id, [&] {
      b.plug();
      b.until_live(1_s);
      EXPECT_NE(listed().find(id == 4 ? " 5000M " : " 10000M "), std::string::npos);
      b.works(0x33);
    });
  }
}

// --- the interrupt line ---

TEST(usb_interrupt_line, is_of_use_after_a_firmware_that_has_left_it_raised) {
  medium stick(2048);
  usb_machine machine;
  world world({.seed = 1});
  world.run([&] {
    boot();
    machine.controller().leave_running();
    machine.power_on();
    EXPECT_FALSE(irq_is_masked(irq));
    sleep_for(1_s);
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    EXPECT_FALSE(irq_is_masked(irq));
    stick.pull();
    sleep_for(1_s);
  });
}

// The driver waits until the dead controller is ready for its reset.
TEST(usb_interrupt_line, is_of_use_after_a_controller_that_dies_with_it_raised) {
  bench b(super_speed);
  b.run(1, [&] {
    b.hardware().says[hc::operational_base + hc::usbsts] = hc::sts_not_ready | hc::sts_interrupt;
    b.machine.driver().die("end");
    sleep_for(10_ms);
    b.hardware().post_event({0, 0, 63u << 10});
    sleep_for(10_ms);
    EXPECT_FALSE(irq_is_masked(irq));
    b.hardware().says.clear();
    sleep_for(2_s);
    b.plug();
    b.until_live(1_s);
    b.works(0x41);
  });
}

// --- commands ---

// The event of a slow command comes in the moment in which the driver looks whether the ring has
// stopped. The slot that it tells of must not be lost.
TEST(usb_slow_command, is_no_failure_when_it_ends_at_its_abort) {
  bench b(super_speed, {.interrupt_line = false});
  b.run(1, [&] {
    b.hardware().hang_command = u32{hc::cmd_enable_slot};
    b.hardware().hanging_command_is_slow = b.hardware().stops_at_a_look = true;
    b.plug();
    sleep_for(10_s);
    EXPECT_TRUE(said("a command timed out"));
    b.until_live(1_s);
    EXPECT_EQ(b.hardware().slots_in_use(), 1u);
  });
}

// The controller dies at some moment of a plug: no register of a port is touched afterwards.
TEST(usb_dead_controller, is_left_alone_by_its_ports) {
  using training = hc::controller::training;
  for (const u32 port : {1u, 3u})
    for (i64 ms = 0; ms < 700; ms += 7) {
      bench b(port);
      b.run(static_cast<u64>(ms), [&] {
        if (port == 1 && ms % 2) b.hardware().train_as(1, training::compliance);
        b.hardware().fail_resets(port, 2);
        b.plug();
        sleep_for(duration{ms * 1'000'000});
        b.machine.driver().die("end");
        sleep_for(5_s);
        b.until_live(5_s);
      });
      if (testing::Test::HasFailure()) return;
    }
}

// --- ports ---

// Over-current strikes while the driver clears the changes of a reset, and is over at once.
TEST(usb_port_trouble, over_current_during_a_reset_ends) {
  for (const u32 port : {1u, 3u})
    for (i64 ms = 0; ms < 200; ms += 5) {
      bench b(port);
      b.run(static_cast<u64>(ms), [&] {
        b.plug();
        sleep_for(duration{ms * 1'000'000});
        b.hardware().over_current(port);
        b.hardware().end_over_current(port);
        b.until_live(5_s);
      });
      if (testing::Test::HasFailure()) return;
    }
}

// All resets of the first device fail, and during the last one another device takes its place. Its
// link needs a reset, too.
TEST(usb_port_trouble, an_exchange_during_the_last_reset_is_no_failure) {
  for_each_seed(10, [](u64 seed) {
    bench b(1);
    medium broken(2048, "BROKEN");
    b.run(seed, [&] {
      broken.plug(b.machine.port(1));
      while (!b.device()) sleep_for(1_ms);
      b.hardware().lose_link(1);
      b.hardware().fail_resets(1, 9);
      while (b.hardware().resets_left_to_fail(1) > 1 || !b.hardware().any_port_resetting())
        sleep_for(1_ms);
      broken.pull();
      b.plug();
      const u32 portsc = hc::operational_base + hc::port_base;
      while (!(b.hardware().read32(portsc) & hc::port_connected)) sleep_for(100_us);
      b.hardware().lose_link(1);
      b.hardware().fail_resets(1, 0);
      b.until_live(5_s);
    });
  });
}

// A loose contact: the device is not addressed again and again without end.
TEST(usb_port_trouble, a_device_that_comes_and_goes_gets_rests) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    medium loose(2048, "LOOSE");
    b.machine.stick_of(loose).interface_class = 3;  // no driver
    const u32 its_port = port == 1 ? 2 : 4;
    b.run(port, [&] {
      b.plug();
      b.until_live(1_s);
      for (int i = 0; i < 300; ++i) {
        loose.plug(b.machine.port(its_port));
        sleep_for(350_ms);
        if (i == 299) {
          EXPECT_NE(listed().find("not used: it comes and goes"), std::string::npos) << listed();
        }
        loose.pull();
        sleep_for(50_ms);
      }
      const std::string name = "usb 0-" + std::to_string(its_port) + ": ";
      EXPECT_GE(times_said(name + "new "), 8u);
      EXPECT_LE(times_said(name + "new "), 16u);
      EXPECT_EQ(times_said(name + "a device comes and goes; from now on the port has rests\n"), 1u);
      b.works(0x51);
      sleep_for(6_s);
      EXPECT_EQ(listed().find("comes and goes"), std::string::npos);
      b.machine.stick_of(loose).interface_class = 8;
      loose.plug(b.machine.port(its_port));
      sleep_for(300_ms);
      EXPECT_TRUE(b.machine.stick_of(loose).ready_for_use()) << "after some quiet, at once";
      loose.pull();
    });
  }
}

// A device without a driver that stays for longer than a short visit: how soon it was given up does
// not count.
TEST(usb_port_trouble, a_device_that_is_not_used_and_stays_gets_no_rest) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    b.function().interface_class = 3;
    b.run(port, [&] {
      for (int i = 0; i < 12; ++i) {
        b.plug();
        sleep_for(6_s);
        b.stick.pull();
        sleep_for(300_ms);
      }
      EXPECT_FALSE(said("a device comes and goes"));
    });
  }
}

// The port has a rest, and another device is plugged in. Nothing is known of it.
TEST(usb_list, tells_nothing_of_the_device_that_was_there_before) {
  bench b(3);
  medium loose(2048, "LOOSE");
  b.machine.stick_of(loose).interface_class = 3;  // no driver
  b.run(1, [&] {
    while (!said("a device comes and goes")) {
      loose.plug(b.machine.port(3));
      sleep_for(350_ms);
      EXPECT_NE(listed().find("\"LOOSE\""), std::string::npos) << listed();
      loose.pull();
      sleep_for(50_ms);
    }
    b.plug();
    sleep_for(300_ms);
    EXPECT_TRUE(listed().starts_with("Bus 000 Port 003: ID 0000:0000 ")) << listed();
    EXPECT_TRUE(listed().ends_with("not used: it comes and goes; the port has a rest\n"));
    EXPECT_EQ(listed().find("LOOSE"), std::string::npos) << listed();
  });
}

// A person replugs as quickly as a hand can.
TEST(usb_port_trouble, quick_replugs_are_not_slowed) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    b.run(port, [&] {
      for (u8 i = 1; i <= 20; ++i) {
        b.plug();
        EXPECT_LT(b.until_live(1_s).ns, (250_ms).ns) << int{i};
        b.works(i);
        b.stick.pull();
        sleep_for(i % 2 ? 300_ms : 1_s);
      }
    });
  }
}

// What is no visit of a device: contacts that bounce, a controller without a free slot, the death
// of the controller.
TEST(usb_port_trouble, what_was_no_visit_gets_no_rest) {
  bench b(3);
  medium waiting(2048, "WAITING");
  b.run(1, [&] {
    b.hardware().bouncing = 30_s;
    b.plug();
    b.until_live(40_s);
    b.hardware().bouncing = {};
    b.hardware().fail_command = {.left = 1, .code = hc::no_slots, .in_a_row = 20};
    waiting.plug(b.machine.port(4));
    for (int i = 0; i < 20; ++i) sleep_for(300_ms), b.machine.driver().slot_vacated();
    b.hardware().fail_command = {};
    waiting.pull();
    for (int i = 0; i < 20; ++i) {
      while (b.machine.driver().dead() || !b.device()) sleep_for(1_ms);
      sleep_for(120_ms);  // it is coming up
      b.machine.driver().die("end");
      if (i % 4 == 3) sleep_for(61_s);
    }
    EXPECT_FALSE(said("a device comes and goes"));
    b.until_live(65_s);
  });
}

}  // namespace
}  // namespace sim
