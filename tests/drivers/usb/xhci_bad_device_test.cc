// Endpoints and commands that are slower than their specification, and what lsusb shows of devices
// that are of no use. Over the simulated controller.
#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

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

// --- lsusb ---

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

}  // namespace
}  // namespace sim
