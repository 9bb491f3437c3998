// Devices and controllers that are worse than their specification: the others live on, and a good
// device afterwards is served. Over the simulated controller.
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

// --- lsusb and a dead controller ---

TEST(usb_list, shows_no_device_of_a_controller_that_is_given_up) {
  bench b(super_speed);
  b.run(1, [&] {
    b.function().interface_class = 3;
    b.plug();
    sleep_for(1_s);
    EXPECT_NE(listed().find("no driver for this device"), std::string::npos);
    b.hardware().off_the_bus = true;
    sleep_for(10_s);
    EXPECT_TRUE(said("given up"));
    EXPECT_EQ(listed(), "");
    leave_open("the controller is gone for ever");
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
    const u32 its_port = port == 1 ? 2 : 4;
    b.run(port, [&] {
      b.plug();
      b.until_live(1_s);
      for (int i = 0; i < 300; ++i) {
        loose.plug(b.machine.port(its_port));
        sleep_for(350_ms);
        loose.pull();
        sleep_for(50_ms);
      }
      const std::string name = "usb 0-" + std::to_string(its_port) + ": ";
      EXPECT_GE(times_said(name + "new "), 8u);
      EXPECT_LE(times_said(name + "new "), 16u);
      EXPECT_EQ(times_said(name + "a device comes and goes; from now on the port has rests\n"), 1u);
      b.works(0x51);
      sleep_for(6_s);
      loose.plug(b.machine.port(its_port));
      sleep_for(300_ms);
      EXPECT_TRUE(b.machine.stick_of(loose).ready_for_use()) << "after some quiet, at once";
      loose.pull();
    });
  }
}

// A person replugs five times as quickly as a hand can.
TEST(usb_port_trouble, five_quick_replugs_are_not_slowed) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    b.run(port, [&] {
      for (u8 i = 1; i <= 6; ++i) {
        b.plug();
        EXPECT_LT(b.until_live(1_s).ns, (250_ms).ns) << int{i};
        b.works(i);
        b.stick.pull();
        sleep_for(300_ms);
      }
    });
  }
}

}  // namespace
}  // namespace sim
