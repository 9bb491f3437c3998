// A device that breaks its controller down is found and left alone; the others live on, and none of
// them is left alone for it. Over the simulated controller.
#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "hal/memory.h"
#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

using checkpoint::volume_state;

// --- it is found ---

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

// --- another one is not taken for it ---

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

// --- one that was left alone without a reason ---

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

}  // namespace
}  // namespace sim
