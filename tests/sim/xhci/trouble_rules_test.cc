// The trouble that a test can make the simulated controller have: what a driver sees of it.
#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

u32 endpoint_state_of(hand_driver& d, u32 dci) { return d.output.as<u32>()[dci * 8] & 7; }

// Its registers read as ones and take nothing; its rings go on.
TEST(trouble_rules, off_the_bus) {
  on_controller([](hand_driver& d) {
    d.leave_in_at_work();
    const u32 before = d.unseen_events();
    d.model().off_the_bus = true;
    EXPECT_EQ(d.read_op(usbsts), ~0u);
    EXPECT_EQ(d.read_op(port_base), ~0u);
    d.op(usbcmd, 0);
    d.give_command(cmd_no_op, 0, 0);  // its doorbell is lost
    d.device.answer = handshake::ack;
    d.device.gives = 512;
    d.device.ready();
    sleep_for(20_ms);
    EXPECT_EQ(d.device.packets_given, 2u) << "the transfer has ended all the same";
    EXPECT_EQ(d.unseen_events(), before) << "it asks for no event";
    d.model().off_the_bus = false;
    EXPECT_EQ(d.read_op(usbcmd), cmd_run);
    EXPECT_FALSE(d.read_op(usbsts) & sts_halted);
    EXPECT_EQ(d.complaints(), "");
  });
}

// 5.4.8: nothing is connected to a port without power, and no change is told. Then the device is
// seen as one that was plugged in.
TEST(trouble_rules, port_without_power) {
  on_controller([](hand_driver& d) {
    d.configure();
    d.op(port_base, port_power | all_changes);
    const u32 before = d.unseen_events();
    d.op(port_base, 0);
    EXPECT_EQ(d.read_op(port_base) & ~(15u << 5), 0u);
    EXPECT_EQ(d.unseen_events(), before);
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
    EXPECT_EQ(d.device.packets_taken, 0u);
    d.op(port_base, port_power);
    EXPECT_EQ(d.read_op(port_base) & (port_power | port_connected | change_connect),
              port_power | port_connected | change_connect);
    EXPECT_EQ(d.device.address(), 0u) << "it has forgotten its address";
    EXPECT_EQ(d.complaints(), "");
  });
}

// The next transfer is executed, without a doorbell; otherwise the endpoint halts.
TEST(trouble_rules, goes_on_after_data_errors) {
  for (const bool goes_on : {true, false})
    on_controller([&](hand_driver& d) {
      d.configure();
      d.model().goes_on_after_data_errors = goes_on;
      d.model().fail_transfer = {1, data_buffer_error};
      for (const u32 index : {0u, 1u}) d.put(bulk_out_dci, index, d.data_trb(512));
      d.work(bulk_out_dci);
      EXPECT_EQ(d.device.packets_taken, goes_on ? 1u : 0u);
      EXPECT_EQ(endpoint_state_of(d, bulk_out_dci), goes_on ? ep_running : ep_halted);
      EXPECT_EQ(d.command(cmd_reset_endpoint, d.slot, 0, 1, bulk_out_dci),
                goes_on ? context_state_error : success);
      EXPECT_EQ(d.transfer_codes, std::vector<u32>{data_buffer_error});
      EXPECT_EQ(d.complaints(), "");
    });
}

// 4.8.3: the endpoint has halted, and its context says so later.
TEST(trouble_rules, late_states) {
  on_controller([](hand_driver& d) {
    d.configure();
    d.model().late_states = 50_ms;
    d.device.answer = handshake::stall;
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
    EXPECT_GT(d.unseen_events(), 0u) << "the error was told";
    EXPECT_EQ(endpoint_state_of(d, bulk_out_dci), ep_running);
    sleep_for(50_ms);
    EXPECT_EQ(endpoint_state_of(d, bulk_out_dci), ep_halted);
    EXPECT_EQ(d.complaints(), "");
  });
}

// The doorbell is not lost, but until the endpoint has begun it cannot be stopped.
TEST(trouble_rules, late_starts) {
  on_controller([](hand_driver& d) {
    d.configure();
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_out_dci), success);
    d.model().late_starts = 1500_ms;
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
    EXPECT_EQ(endpoint_state_of(d, bulk_out_dci), ep_stopped);
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_out_dci), context_state_error);
    EXPECT_EQ(d.device.packets_taken, 0u);
    sleep_for(1_s);
    EXPECT_EQ(endpoint_state_of(d, bulk_out_dci), ep_running);
    EXPECT_EQ(d.device.packets_taken, 1u);
    EXPECT_EQ(d.complaints(), "");
  });
}

}  // namespace
}  // namespace sim::hc
