// The simulated controller's rules for reserved bits (xHCI 1.2, 5.1.1 and 6.4). In registers some
// must be preserved and some be 0; in TRBs all must be 0. Each test breaks one rule.
#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

// --- registers ---

TEST(reserved_rules, usbcmd) {
  for (const u32 bit : {1u << 4, 1u << 6, 1u << 12, 1u << 17, 1u << 31})
    expect_complaint("reserved bits of USBCMD are not preserved",
                     [&](hand_driver& d) { d.op(usbcmd, cmd_run | bit); });
  on_controller([](hand_driver& d) {
    d.op(usbcmd, cmd_run | 1u << 13);  // CME
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(reserved_rules, config) {
  for (const u32 bit : {1u << 10, 1u << 31})
    expect_complaint("reserved bits of CONFIG are not preserved", [&](hand_driver& d) {
      d.halt();
      d.op(config, 8 | bit);
    });
}

TEST(reserved_rules, usbsts) {
  for (const u32 bit : {1u << 1, 1u << 7, 1u << 13, 1u << 31})
    expect_complaint("reserved bits of USBSTS are not 0",
                     [&](hand_driver& d) { d.op(usbsts, sts_interrupt | bit); });
}

TEST(reserved_rules, portsc) {
  for (const u32 bit : {1u << 2, 1u << 28, 1u << 29})
    expect_complaint("reserved bits of PORTSC are not 0",
                     [&](hand_driver& d) { d.op(port_base, port_power | bit); });
}

TEST(reserved_rules, interrupter) {
  expect_complaint("reserved bits of IMAN are not preserved",
                   [](hand_driver& d) { d.runtime(iman, 1u << 2); });
  expect_complaint("reserved bits of ERSTSZ are not preserved",
                   [](hand_driver& d) { d.runtime(erstsz, 1 | 1u << 16); });
}

// --- TRBs ---

constexpr auto complaint = "reserved bits in a TRB";

TEST(reserved_rules, words_of_a_command) {
  for (const u32 type : {cmd_enable_slot, cmd_disable_slot, cmd_reset_device, cmd_no_op})
    expect_complaint(complaint, [&](hand_driver& d) {
      d.enable_slot();
      d.command(type, type == cmd_disable_slot || type == cmd_reset_device ? d.slot : 0, 16);
    });
  expect_complaint(complaint, [](hand_driver& d) {
    d.commands().as<trb>()[0] = {0, 1, cmd_no_op << 10 | with_cycle};
    d.doorbell(0, 0);
    sleep_for(10_ms);
  });
}

// A slot where none belongs; an endpoint; the bits between the endpoint and the slot; those behind
// the cycle bit.
TEST(reserved_rules, control_word_of_a_command) {
  expect_complaint(complaint, [](hand_driver& d) { d.command(cmd_no_op, 1); });
  expect_complaint(complaint, [](hand_driver& d) { d.command(cmd_enable_slot, 1); });
  expect_complaint(complaint, [](hand_driver& d) {
    d.enable_slot();
    d.command(cmd_disable_slot, d.slot, 0, 1, 1);
  });
  for (const u32 bit : {1u << 5, 1u << 6})
    expect_complaint(complaint, [&](hand_driver& d) {
      d.address();
      d.command(cmd_stop_endpoint, d.slot, 0, 1, 1 | bit);
    });
  for (const u32 bit : {1u << 1, 1u << 9})
    expect_complaint(complaint, [&](hand_driver& d) { d.command(cmd_no_op, 0, 0, 1 | bit); });
}

// BSR of Address Device, DC of Configure Endpoint, TSP of Reset Endpoint and SP of Stop Endpoint
// are defined; bit 9 of Evaluate Context is not.
TEST(reserved_rules, options_of_a_command) {
  on_controller([](hand_driver& d) {
    d.address();
    d.command(cmd_stop_endpoint, d.slot, 0, 1, 1 | 1u << 7);
    d.command(cmd_reset_endpoint, d.slot, 0, 1 | 1u << 9, 1);
    EXPECT_EQ(d.complaints(), "");
  });
  expect_complaint(complaint, [](hand_driver& d) {
    d.address();
    d.input_word(0, 1) = 2;
    d.command(cmd_evaluate_context, d.slot, d.input.address().value(), 1 | 1u << 9);
  });
}

trb setup(u32 flags = 0) {
  return {u64{9} << 8, 8, trb_setup << 10 | with_data_inside | flags | with_cycle};
}

TEST(reserved_rules, stages_of_a_control_transfer) {
  const trb status{0, 0, trb_status << 10 | from_device | with_cycle};
  struct stages {
    trb first, second;
  };
  const trb with_td_size{u64{9} << 8, 8 | 1u << 17,
                         trb_setup << 10 | with_data_inside | with_cycle};
  for (const stages& each :
       std::initializer_list<stages>{{setup(1u << 2), status},
                                     {setup(1u << 31), status},
                                     {with_td_size, status},
                                     {setup(), {1, 0, status.control}},
                                     {setup(), {0, 1u << 17, status.control}},
                                     {setup(), {0, 0, status.control | 1u << 6}},
                                     {setup(), {0, 0, status.control | 1u << 17}}})
    expect_complaint(complaint, [&](hand_driver& d) {
      d.address();
      d.put(1, 0, each.first);
      d.put(1, 1, each.second);
      d.work(1);
    });
}

TEST(reserved_rules, links) {
  for (const u32 flag : {1u << 2, 1u << 6, 1u << 16})
    expect_complaint(complaint, [&](hand_driver& d) {
      d.configure();
      d.put(bulk_out_dci, 0, d.link_to(bulk_out_dci, 100, flag));
      d.put(bulk_out_dci, 100, d.data_trb(512));
      d.work(bulk_out_dci);
    });
}

}  // namespace
}  // namespace sim::hc
