// A controller that dies is started again, at once or after a pause; its interrupt line stays of
// use. Over the simulated controller.
#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "hal/memory.h"
#include "tests/drivers/usb/stick_bench.h"
#include "tests/sim/irq.h"

namespace sim {
namespace {

using checkpoint::volume_state;

constexpr u8 irq = 11;

// --- pauses ---

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

// The contact of a stick opens while the stick comes up or when it is of use, and the controller
// dies of it each time. The other stick has its turn all the same.
TEST(usb_dead_controller, lets_a_loose_contact_keep_no_other_stick_away) {
  for (const duration stays : {30_ms, 150_ms, 900_ms})
    for (const u32 port : {2u, 4u}) {
      bench b(port);
      medium loose(2048, "LOOSE");
      b.run(port, [&] {
        b.plug();
        b.until_live(1_s);
        EXPECT_TRUE(fill_block(sda, 5, 0x25));
        b.hardware().break_down();
        const xhci::root_port& contact = b.machine.driver().port(1);
        bool had_its_turn = false;
        for (const instant end = now() + 40_s; now() < end; sleep_for(stays)) {
          if (loose.plugged()) loose.pull();
          while (contact.status().connected()) sleep_for(1_us);
          if (contact.occupant) b.machine.driver().die("end");
          had_its_turn |= said("is back as sda: 1 block written");
          loose.plug(b.machine.port(1));
          for (int ms = 0; ms < 200 && !contact.occupant; ++ms) sleep_for(1_ms);
        }
        if (loose.plugged()) loose.pull();
        EXPECT_TRUE(had_its_turn);
        EXPECT_TRUE(said("usb 0-1: a device comes and goes; from now on the port has rests\n"));
        b.until_live(1_s);
        b.works(0x26);
      });
    }
}

// It dies ten seconds after each pull, when it has not taken the slot back.
TEST(usb_dead_controller, gives_rests_also_when_it_dies_late_of_a_loose_contact) {
  bench b(super_speed);
  b.run(1, [&] {
    for (u8 i = 1; i <= 8; ++i) {
      b.plug();
      b.until_live(5_s);
      EXPECT_FALSE(said("a device comes and goes")) << int{i};
      b.hardware().hang_command = u32{hc::cmd_disable_slot};
      b.hardware().ring_never_stops = true;
      b.stick.pull();
      for (int ms = 0; ms < 15'000 && !b.machine.driver().dead(); ++ms) sleep_for(1_ms);
      EXPECT_TRUE(b.machine.driver().dead());
      while (b.machine.driver().dead()) sleep_for(1_ms);
      b.hardware().ring_never_stops = false;
    }
    EXPECT_EQ(times_said("usb 0-1: a device comes and goes; from now on the port has rests\n"), 1u);
  });
}

// --- its memory ---

// Its registers read as ones for a while, and it is at work all the time: it reads a block for the
// driver, which has given that memory away by then.
TEST(usb_dead_controller, reaches_no_memory_while_its_registers_do_not_answer) {
  bench b(super_speed, {.interrupt_line = false});
  b.run(1, [&] {
    b.plug();
    b.until_live(3_s);
    b.stick.least_latency = b.stick.most_latency = 1_s;
    const auto reader = spawn("reader", [] {
      const std::span<byte> memory = allocate_pages(1);
      EXPECT_EQ(read_blocks(*disk_of(sda)->device, lba{64}, memory).error(), error::enodev);
      free_pages(memory);
    });
    sleep_for(100_ms);
    b.hardware().off_the_bus = true;
    reader.join();
    sleep_for(2_s);
    b.stick.least_latency = b.stick.most_latency = 10_us;
    b.hardware().off_the_bus = false;
    b.until_live(15_s);
    b.works(0x27);
  });
}

// --- its ports and its interrupt line ---

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

}  // namespace
}  // namespace sim
