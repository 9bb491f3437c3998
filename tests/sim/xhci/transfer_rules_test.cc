// The simulated controller's rules for transfer rings and memory. Each test breaks one rule, and
// the controller must complain of that rule alone.
#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

// A setup packet for EP0 with these first two bytes, as a Setup Stage TRB.
trb setup_stage(u8 type, u8 request, u32 flags = 0) {
  return {type | u64{request} << 8, 8, trb_setup << 10 | with_data_inside | flags | with_cycle};
}
trb status_stage() { return {0, 0, trb_status << 10 | from_device | with_cycle}; }

// Data OUT with a Link between its two TRBs.
void put_over_a_link(hand_driver& d, u32 first_length, u32 td_size, u32 link_flags) {
  d.configure();
  d.put(bulk_out_dci, 0, d.data_trb(first_length, with_chain, td_size));
  d.put(bulk_out_dci, 1, d.link_to(bulk_out_dci, 100, link_flags));
  d.put(bulk_out_dci, 100, d.data_trb(bulk_packet));
  d.work(bulk_out_dci);
}

TEST(transfer_rules, chain_bit_of_a_link_inside_a_td) {
  expect_complaint("a Link inside a TD is not chained",
                   [](hand_driver& d) { put_over_a_link(d, bulk_packet, 1, 0); });
}

TEST(transfer_rules, chain_bit_of_a_link_between_tds) {
  expect_complaint("a Link between TDs is chained", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.link_to(bulk_out_dci, 100, with_chain));
    d.put(bulk_out_dci, 100, d.data_trb(512));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, packets_before_a_link) {
  expect_complaint("a packet reaches over a Link",
                   [](hand_driver& d) { put_over_a_link(d, 512, 2, with_chain); });
}

TEST(transfer_rules, links_lead_somewhere) {
  expect_complaint("a ring of nothing but Links", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.link_to(bulk_out_dci, 0));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, td_size) {
  expect_complaint("a TD size that is wrong", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.data_trb(bulk_packet, with_chain, 2));
    d.put(bulk_out_dci, 1, d.data_trb(bulk_packet));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, td_size_of_the_last) {
  expect_complaint("a TD size that is wrong", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.data_trb(bulk_packet, 0, 1));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, complete_td) {
  expect_complaint("a TD was handed over before it was complete", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.data_trb(bulk_packet, with_chain, 1));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, boundary_of_64_kib) {
  expect_complaint("a TRB's data cross a boundary of 64 KiB", [](hand_driver& d) {
    d.configure();
    trb t = d.data_trb(bulk_packet);
    t.parameter += 0x1'0000 - 512;
    d.put(bulk_out_dci, 0, t);
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, kinds_of_trbs) {
  expect_complaint("a TRB that has no place on a bulk ring", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, status_stage());
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, toggle_of_out) {
  expect_complaint("a data toggle is out of step", [](hand_driver& d) {
    d.configure();
    d.device.toggles.flip(bulk_out_dci);
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, toggle_of_in) {
  expect_complaint("a data toggle is out of step", [](hand_driver& d) {
    d.configure();
    d.device.toggles.flip(bulk_in_dci);
    d.device.gives = 512;
    d.put(bulk_in_dci, 0, d.data_trb(512));
    d.work(bulk_in_dci);
  });
}

TEST(transfer_rules, failed_td) {
  expect_complaint("a TD that has failed is executed again", [](hand_driver& d) {
    d.configure();
    d.device.answer = handshake::stall;
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
    d.command(cmd_reset_endpoint, d.slot, 0, 1, bulk_out_dci);
    d.work(bulk_out_dci);
  });
}

TEST(transfer_rules, setup_stage) {
  expect_complaint("a bad Setup Stage TRB", [](hand_driver& d) {
    d.address();
    trb t = setup_stage(0, 9);
    t.status = 7;
    d.put(1, 0, t);
    d.work(1);
  });
}

TEST(transfer_rules, transfer_type) {
  expect_complaint("a Setup Stage TRB with a wrong transfer type", [](hand_driver& d) {
    d.address();
    d.put(1, 0, setup_stage(0, 9, 3u << 16));
    d.work(1);
  });
}

// USB 2.0, 9.2.6.3.
TEST(transfer_rules, recovery_after_set_address) {
  expect_complaint("a request within 2 ms of SET_ADDRESS", [](hand_driver& d) {
    d.plug();
    d.give_command(cmd_address_device, d.slot, d.input.address().value());
    sleep_for(1_ms);
    d.put(1, 0, setup_stage(0, 9));
    d.put(1, 1, status_stage());
    d.work(1);
  });
}

TEST(transfer_rules, faults_come_once) {
  on_controller([](hand_driver& d) {
    d.configure();
    d.model().fail_transfer = {2, 0};
    for (u32 i = 0; i < 2; ++i) {
      d.put(bulk_out_dci, i, d.data_trb(512));
      d.work(bulk_out_dci);
    }
    EXPECT_EQ(d.device.toggles[bulk_out_dci], true) << "the second one has moved nothing";
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_out_dci), success);
    d.work(bulk_out_dci);
    EXPECT_EQ(d.device.toggles[bulk_out_dci], false);
    EXPECT_EQ(d.complaints(), "");
  });
}

// Lost packets are sent again, and each arrives once; after three in a row the endpoint halts.
TEST(transfer_rules, noise) {
  on_controller([](hand_driver& d) {
    d.configure();
    d.device.gives = bulk_packet;
    d.model().noise = 20;
    for (u32 i = 0; i < 60; ++i) {
      d.put(bulk_out_dci, i, d.data_trb(bulk_packet));
      d.put(bulk_in_dci, i, d.data_trb(bulk_packet));
    }
    d.work(bulk_out_dci);
    d.work(bulk_in_dci);
    EXPECT_GT(d.model().packets_lost, 5u);
    EXPECT_EQ(d.device.packets_taken, 60u);
    EXPECT_EQ(d.device.packets_given, 60u);
    d.model().noise = 1;
    d.put(bulk_out_dci, 60, d.data_trb(bulk_packet));
    d.work(bulk_out_dci);
    EXPECT_EQ(d.command(cmd_reset_endpoint, d.slot, 0, 1, bulk_out_dci), success);
    EXPECT_EQ(d.transfer_codes, std::vector<u32>{transaction_error});
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(transfer_rules, set_address) {
  expect_complaint("SET_ADDRESS on a ring", [](hand_driver& d) {
    d.address();
    d.put(1, 0, setup_stage(0, 5));
    d.work(1);
  });
}

// --- memory that is freed while the controller may use it, and perhaps allocated again ---

void expect_given_away(const std::string& what, const std::function<void(hand_driver&)>& body) {
  on_controller([&](hand_driver& d) {
    body(d);
    EXPECT_EQ(d.complaints().find("DMA for " + what + " at 0x"), 0u) << d.complaints();
    EXPECT_NE(d.complaints().find("which the driver has given away"), std::string::npos);
  });
}

TEST(memory_rules, command_ring) {
  expect_given_away("a ring", [](hand_driver& d) {
    d.command(cmd_no_op);
    d.commands() = dma_buffer();
    const auto another = dma_buffer::allocate(4096, 4096);
    d.doorbell(0, 0);
    sleep_for(10_ms);
  });
}

TEST(memory_rules, transfer_ring) {
  expect_given_away("a ring", [](hand_driver& d) {
    d.configure();
    d.ring(bulk_in_dci) = dma_buffer();
    d.work(bulk_in_dci);
  });
}

TEST(memory_rules, data_in) {
  expect_given_away("data IN", [](hand_driver& d) {
    d.leave_in_at_work();
    d.data = dma_buffer();
    d.device.answer = handshake::ack;
    d.device.gives = 512;
    d.device.ready();
    sleep_for(10_ms);
  });
}

TEST(memory_rules, data_out) {
  expect_given_away("data OUT", [](hand_driver& d) {
    d.configure();
    d.device.answer = handshake::nak;
    d.put(bulk_out_dci, 0, d.data_trb(512));
    d.work(bulk_out_dci);
    d.data = dma_buffer();
    d.device.ready();
    sleep_for(10_ms);
  });
}

TEST(memory_rules, contexts) {
  expect_given_away("a context", [](hand_driver& d) {
    d.configure();
    d.output = dma_buffer();
    d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_in_dci);
  });
}

TEST(memory_rules, addresses_that_are_nobodys) {
  expect_complaint("the command ring at 0x1000 is not the driver's memory", [](hand_driver& d) {
    d.op(usbcmd, 0);
    d.op(crcr_low, 0x1000 | 1);
    d.op(crcr_high, 0);
  });
}

}  // namespace
}  // namespace sim::hc
