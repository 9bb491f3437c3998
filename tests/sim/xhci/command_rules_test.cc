// The simulated controller's rules for its registers and the command ring. Each test breaks one
// rule, and the controller must complain of that rule alone.
#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

// --- doorbells and commands ---

TEST(command_rules, doorbell_of_a_slot) {
  expect_complaint("doorbell of a slot that is disabled", [](hand_driver& d) { d.doorbell(5, 1); });
}

TEST(command_rules, doorbell_of_an_endpoint) {
  expect_complaint("doorbell of an endpoint that is disabled", [](hand_driver& d) {
    d.address();
    d.doorbell(d.slot, bulk_in_dci);
  });
}

TEST(command_rules, doorbell_of_the_commands) {
  expect_complaint("the command doorbell was rung for an endpoint",
                   [](hand_driver& d) { d.doorbell(0, 1); });
}

// 4.6.1.2: CRR is 1 until the event Command Ring Stopped.
TEST(command_rules, doorbell_of_a_ring_that_is_aborted) {
  expect_complaint("a command doorbell before the ring has stopped", [](hand_driver& d) {
    d.model().hang_command = u32{cmd_no_op};
    d.command(cmd_no_op);
    d.op(crcr_low, crcr_abort);
    d.op(crcr_high, 0);
    EXPECT_EQ(d.read_op(crcr_low), crcr_running);
    d.doorbell(0, 0);
    sleep_for(1_s);
    EXPECT_EQ(d.read_op(crcr_low), 0u);
  });
}

// 4.6.1.1 and 4.6.1.2.
TEST(command_rules, only_an_abort_ends_a_command_that_hangs) {
  on_controller([](hand_driver& d) {
    d.model().hang_command = u32{cmd_no_op};
    d.command(cmd_no_op);
    for (const u32 how : {crcr_stop, crcr_abort}) {
      d.op(crcr_low, how);
      d.op(crcr_high, 0);
      sleep_for(1_s);
      EXPECT_EQ(d.read_op(crcr_low), how == crcr_stop ? crcr_running : 0u);
    }
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(command_rules, known_commands) {
  expect_complaint("an unknown command, type 30", [](hand_driver& d) { d.command(30); });
}

TEST(command_rules, slot_types) {
  expect_complaint("Enable Slot with a slot type that no port has",
                   [](hand_driver& d) { d.command(cmd_enable_slot, 0, 0, 1, 1); });
}

TEST(command_rules, disable_slot) {
  expect_complaint("Disable Slot while endpoint 3 is at work", [](hand_driver& d) {
    d.leave_in_at_work();
    d.command(cmd_disable_slot, d.slot);
  });
}

TEST(command_rules, reset_device) {
  expect_complaint("Reset Device while an endpoint is at work", [](hand_driver& d) {
    d.leave_in_at_work();
    d.command(cmd_reset_device, d.slot);
  });
}

TEST(command_rules, dropped_endpoints) {
  expect_complaint("an endpoint that runs is dropped", [](hand_driver& d) {
    d.leave_in_at_work();
    d.input_word(0, 0) = 1u << bulk_in_dci;
    d.input_word(0, 1) = 1;
    d.configure_endpoints();
  });
}

TEST(command_rules, added_endpoints) {
  expect_complaint("an endpoint is added twice", [](hand_driver& d) {
    d.configure();
    d.input_word(0, 1) = 1 | 1u << bulk_in_dci;
    d.configure_endpoints();
  });
}

TEST(command_rules, context_entries) {
  expect_complaint("Context Entries is not the last endpoint", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(1, 0) += 1u << 27;
    d.configure_endpoints();
  });
}

TEST(command_rules, one_slot_for_a_device) {
  expect_complaint("two slots for one device", [](hand_driver& d) {
    d.address();
    d.device.set_address(0);  // as after a reset
    d.enable_slot();
    d.fill_address_input();
    d.address_device();
  });
}

TEST(command_rules, one_address_for_a_device) {
  expect_complaint("Address Device for a device that has an address", [](hand_driver& d) {
    d.address();
    d.command(cmd_reset_device, d.slot);
    d.address_device();
  });
}

TEST(command_rules, speed) {
  expect_complaint("the slot context has another speed", [](hand_driver& d) {
    d.plug();
    d.input_word(1, 0) ^= 7u << 20;
    d.address_device();
  });
}

TEST(command_rules, packet_size_of_ep0) {
  expect_complaint("EP0 has another packet size", [](hand_driver& d) {
    d.plug();
    d.input_word(2, 1) ^= 1u << 16;
    d.address_device();
  });
}

// USB 2.0, 7.1.7.3: TATTDB.
TEST(command_rules, contact_is_steady) {
  expect_complaint("a device was addressed within 100 ms of its contact", [](hand_driver& d) {
    d.enable_slot();
    d.model().plug(1, d.device);
    sleep_for(50_ms);
    d.fill_address_input();
    d.address_device();
  });
}

// USB 2.0, 7.1.7.5: TRSTRCY.
TEST(command_rules, recovery_after_a_reset) {
  expect_complaint("a device was addressed within 10 ms of its reset", [](hand_driver& d) {
    d.plug();
    d.op(port_base, port_power | port_reset);
    while (d.read_op(port_base) & port_reset) sleep_for(1_ms);
    d.give_command(cmd_address_device, d.slot, d.input.address().value());
    sleep_for(1_s);
  });
}

TEST(command_rules, contexts_of_disabled_slots) {
  expect_complaint("a device context for a slot that is disabled", [](hand_driver& d) {
    d.enable_slot();
    d.command(cmd_disable_slot, d.slot);
    for (u32 n = 0; n < 8; ++n) d.command(cmd_enable_slot);
  });
}

TEST(command_rules, average_length) {
  expect_complaint("an average TRB length of 0", [](hand_driver& d) {
    d.plug();
    d.input_word(2, 4) = 0;
    d.address_device();
  });
}

TEST(command_rules, packet_size_of_an_endpoint) {
  expect_complaint("an endpoint has another packet size", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(bulk_in_dci + 1, 1) -= 512u << 16;
    d.configure_endpoints();
  });
}

TEST(command_rules, burst_size_of_an_endpoint) {
  expect_complaint("an endpoint has another burst size", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(bulk_in_dci + 1, 1) |= 1u << 8;
    d.configure_endpoints();
  });
}

TEST(command_rules, slot_context_of_the_device) {
  expect_complaint("the slot context is not that of the device", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(1, 1) = 2u << 16;
    d.configure_endpoints();
  });
}

TEST(command_rules, evaluate_context) {
  expect_complaint("Evaluate Context changes more than the packet size", [](hand_driver& d) {
    d.address();
    d.input_word(0, 1) = 2;
    d.input_word(2, 1) ^= 1u << 3;
    EXPECT_EQ(d.command(cmd_evaluate_context, d.slot, d.input.address().value()), success);
  });
}

TEST(command_rules, faults_come_once) {
  on_controller([](hand_driver& d) {
    d.model().fail_command = {2, 17};
    EXPECT_EQ(d.command(cmd_no_op), success);
    EXPECT_EQ(d.command(cmd_no_op), 17u);
    EXPECT_EQ(d.command(cmd_no_op), success);
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(command_rules, error_count) {
  expect_complaint("CErr is not 3", [](hand_driver& d) {
    d.plug();
    d.input_word(2, 1) ^= 1u << 1;
    d.address_device();
  });
}

// --- registers ---

TEST(register_rules, read_only) {
  expect_complaint("a read-only register was written", [](hand_driver& d) { d.write(0, 1); });
}

TEST(register_rules, config_while_running) {
  expect_complaint("CONFIG was written while running", [](hand_driver& d) { d.op(config, 4); });
}

TEST(register_rules, reset_while_running) {
  expect_complaint("HCRST while running", [](hand_driver& d) { d.op(usbcmd, cmd_reset); });
}

TEST(register_rules, ready_after_a_reset) {
  expect_complaint("a register was written before the controller was ready", [](hand_driver& d) {
    d.halt();
    d.op(usbcmd, cmd_reset);
    d.op(config, 8);
  });
}

TEST(register_rules, ports_of_a_halted_controller) {
  expect_complaint("PORTSC was written while the controller was halted", [](hand_driver& d) {
    d.halt();
    d.op(port_base, port_power);
  });
}

// Some of Intel's controllers hang.
TEST(register_rules, silence_after_a_reset) {
  expect_complaint("a register was read within 1 ms of HCRST", [](hand_driver& d) {
    d.halt();
    d.op(usbcmd, cmd_reset);
    d.read_op(usbcmd);
  });
}

// 5.4.8: a port is left alone for 20 ms after its power was switched on.
TEST(register_rules, power_before_a_reset) {
  expect_complaint("a reset within 20 ms of the port's power", [](hand_driver& d) {
    d.op(port_base, 0);
    d.op(port_base, port_power);
    d.op(port_base, port_power | port_reset);
  });
}

// 5.4.2.
TEST(register_rules, order_of_eint_and_ip) {
  expect_complaint("IP was cleared before EINT", [](hand_driver& d) {
    d.command(cmd_no_op);
    d.runtime(iman, iman_pending);
  });
}

// 4.17.5: with INTx, the line is raised as long as IP is 1.
TEST(register_rules, interrupt_line) {
  expect_complaint("the interrupt line stays raised", [](hand_driver& d) {
    d.runtime(iman, iman_enable);
    d.op(usbcmd, cmd_run | cmd_interrupts);
    d.command(cmd_no_op);
  });
}

TEST(register_rules, slots_there_are) {
  expect_complaint("more slots enabled than there are", [](hand_driver& d) {
    d.halt();
    d.op(config, 9);
  });
}

TEST(register_rules, slots_enabled) {
  expect_complaint("started without any slot", [](hand_driver& d) {
    d.halt();
    d.op(config, 0);
    d.op(usbcmd, cmd_run);
    sleep_for(10_ms);
  });
}

TEST(register_rules, event_ring_segments) {
  expect_complaint("the event ring segment table must have one entry here", [](hand_driver& d) {
    d.runtime(erstsz, 2);
    d.give_event_ring();
  });
}

TEST(register_rules, event_ring_size) {
  expect_complaint("an event ring of a size that is not allowed", [](hand_driver& d) {
    d.event_ring_size() = 8;
    d.give_event_ring();
  });
}

TEST(register_rules, event_ring_start) {
  expect_complaint("ERDP does not stand at the event ring's start", [](hand_driver& d) {
    d.runtime(erdp_low, 0x2000);
    d.give_event_ring();
  });
}

}  // namespace
}  // namespace sim::hc
