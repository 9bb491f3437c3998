// The simulated controller's rules for contexts and rings: what must be 0, how they are aligned,
// what they may not cross (xHCI 1.2, 6.1 to 6.4). Each test breaks one rule.
#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

// --- what must be 0 ---

TEST(context_rules, input_control_context) {
  for (u32 word = 2; word < 8; ++word)
    expect_complaint("reserved words in an input control context", [&](hand_driver& d) {
      d.plug();
      d.input_word(0, word) = 1;
      EXPECT_EQ(d.address_device(), success);
    });
}

TEST(context_rules, slot_context) {
  struct bits {
    u32 word, value;
  };
  // A hub, a latency, a hub's ports, a hub's slot, an address, a state, a reserved word.
  for (const bits& b : std::initializer_list<bits>{
           {0, 1u << 26}, {1, 1}, {1, 1u << 24}, {2, 1}, {3, 1}, {3, 1u << 27}, {7, 1}})
    expect_complaint("a slot context with more than a device has that is no hub",
                     [&](hand_driver& d) {
                       d.plug();
                       d.input_word(1, b.word) |= b.value;
                       EXPECT_EQ(d.address_device(), success);
                     });
}

// 4.3.3: the Route String leads from the root port to the device; to one in a root port it is 0.
TEST(context_rules, route_string) {
  for (const u32 behind : {0u, 0x42u})
    for (const u32 route : {1u, 0x24u, 0xF'FFFFu})
      expect_complaint("a route string that leads to no device", [&](hand_driver& d) {
        d.model().put_behind_hubs(1, behind);
        d.plug();
        d.input_word(1, 0) |= route;
        EXPECT_EQ(d.address_device(), transaction_error);
      });
}

TEST(context_rules, endpoint_context) {
  struct bits {
    u32 word, value;
  };
  // A state, streams, an interval, HID, a reserved bit, a payload, a reserved word.
  for (const bits& b : std::initializer_list<bits>{
           {0, 1}, {0, 1u << 10}, {0, 1u << 16}, {1, 1u << 7}, {1, 1}, {4, 1u << 16}, {5, 1}}) {
    constexpr auto complaint = "an endpoint context with more than a bulk endpoint has";
    expect_complaint(complaint, [&](hand_driver& d) {
      d.plug();
      d.input_word(2, b.word) |= b.value;
      EXPECT_EQ(d.address_device(), success);
    });
    expect_complaint(complaint, [&](hand_driver& d) {
      d.address();
      d.fill_endpoint_input();
      d.input_word(bulk_out_dci + 1, b.word) |= b.value;
      EXPECT_EQ(d.configure_endpoints(), success);
    });
  }
}

TEST(context_rules, stream_bits_of_a_ring) {
  expect_complaint("an endpoint context with more than a bulk endpoint has", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(bulk_out_dci + 1, 2) |= 2;
    EXPECT_EQ(d.configure_endpoints(), parameter_error);
  });
}

TEST(context_rules, burst_of_ep0) {
  expect_complaint("EP0 has another burst size", [](hand_driver& d) {
    d.plug();
    d.input_word(2, 1) |= 1u << 8;
    d.address_device();
  });
}

// 4.6.5: A0 and A1 alone, and nothing is dropped.
TEST(context_rules, flags_of_address_device) {
  for (const u32 add : {1u, 2u, 7u})
    on_controller([&](hand_driver& d) {
      d.plug();
      d.input_word(0, 1) = add;
      EXPECT_EQ(d.address_device(), trb_error);
    });
  on_controller([](hand_driver& d) {
    d.plug();
    d.input_word(0, 0) = 1u << 3;
    EXPECT_EQ(d.address_device(), trb_error);
  });
}

TEST(context_rules, ep0_is_not_configured) {
  expect_complaint("Configure Endpoint of EP0", [](hand_driver& d) {
    d.address();
    d.fill_endpoint_input();
    d.input_word(0, 1) |= 2;
    EXPECT_EQ(d.configure_endpoints(), trb_error);
  });
}

// 4.6.6: A0 and neither D0, D1 nor A1. 4.6.7: nothing is dropped, and only A0 and A1 count.
TEST(context_rules, flags_of_other_commands) {
  for (const u32 add : {1u << bulk_in_dci, 3u | 1u << bulk_in_dci})
    on_controller([&](hand_driver& d) {
      d.address();
      d.fill_endpoint_input();
      d.input_word(0, 1) = add;
      EXPECT_EQ(d.configure_endpoints(), trb_error);
    });
  for (const u32 drop : {1u, 2u})
    on_controller([&](hand_driver& d) {
      d.address();
      d.fill_endpoint_input();
      d.input_word(0, 0) = drop;
      EXPECT_EQ(d.configure_endpoints(), trb_error);
      d.input_word(0, 1) = 2;
      EXPECT_EQ(d.command(cmd_evaluate_context, d.slot, d.input.address().value()), trb_error);
    });
}

TEST(context_rules, interrupter_of_a_trb) {
  expect_complaint("a TRB for an interrupter that there is not", [](hand_driver& d) {
    d.configure();
    trb t = d.data_trb(512);
    t.status |= 1u << 22;
    d.put(bulk_out_dci, 0, t);
    d.work(bulk_out_dci);
  });
}

TEST(context_rules, reserved_bits_of_a_trb) {
  expect_complaint("reserved bits in a TRB", [](hand_driver& d) {
    d.configure();
    d.put(bulk_out_dci, 0, d.data_trb(512, 1u << 20));
    d.work(bulk_out_dci);
  });
}

TEST(context_rules, doorbells_of_streams) {
  expect_complaint("a doorbell with a stream", [](hand_driver& d) {
    d.configure();
    d.doorbell(d.slot, bulk_out_dci | 1u << 16);
  });
}

// --- alignment and boundaries (table 6-1) ---

TEST(context_rules, place_of_an_input_context) {
  expect_complaint_first("an input context that is not aligned", [](hand_driver& d) {
    d.plug();
    EXPECT_EQ(d.command(cmd_address_device, d.slot, d.input.address().value() + 8), trb_error);
  });
  expect_complaint("an input context that crosses a page", [](hand_driver& d) {
    d.plug();
    d.command(cmd_address_device, d.slot, d.data.address().value() + 4096 - 64);
  });
  expect_complaint("an input context that crosses a page", [](hand_driver& d) {
    d.address();
    d.command(cmd_configure_endpoint, d.slot, d.data.address().value() + 4096 - 1024);
  });
}

TEST(context_rules, device_context_at_the_beginning) {
  for (const u32 word : {0u, 3u, 31u * 8 + 7})
    expect_complaint("a device context that is not 0", [&](hand_driver& d) {
      d.plug();
      d.output.as<u32>()[word] = 1;
      EXPECT_EQ(d.address_device(), success);
    });
}

TEST(context_rules, place_of_a_device_context) {
  expect_complaint("a device context that is not aligned", [](hand_driver& d) {
    d.plug();
    d.context_pointer(d.slot) += 32;
    d.address_device();
  });
  expect_complaint("a device context that crosses a page", [](hand_driver& d) {
    d.plug();
    d.context_pointer(d.slot) = d.data.address().value() + 4096 - 64;
    d.address_device();
  });
}

TEST(context_rules, place_of_the_array_of_contexts) {
  expect_complaint("DCBAAP was written while running",
                   [](hand_driver& d) { d.op(dcbaap_low, 0x1000); });
  expect_complaint("a context base address array that is not aligned", [](hand_driver& d) {
    d.halt();
    d.op(dcbaap_low, 0x1020);
  });
}

TEST(context_rules, place_of_the_command_ring) {
  expect_complaint_first("a command ring that is not aligned", [](hand_driver& d) {
    d.halt();
    d.op(crcr_low, static_cast<u32>(d.commands().address().value()) | 0x20 | 1);
    d.op(crcr_high, static_cast<u32>(d.commands().address().value() >> 32));
  });
}

TEST(context_rules, place_of_the_event_ring) {
  expect_complaint("an event ring segment table that is not aligned",
                   [](hand_driver& d) { d.runtime(erstba_low, 0x1020); });
  expect_complaint_first("an event ring that is not aligned", [](hand_driver& d) {
    d.event_ring_base() += 32;
    d.give_event_ring();
  });
}

TEST(context_rules, place_of_scratchpads) {
  on_controller([](hand_driver& d) { EXPECT_EQ(d.complaints(), ""); }, 1);
  expect_complaint(
      "a scratchpad that is no page",
      [](hand_driver& d) {
        d.halt();
        d.input.as<u64>()[0] = d.data.address().value() + 2048;
        d.op(usbcmd, cmd_run);
        sleep_for(10_ms);
      },
      1);
  expect_complaint(
      "a scratchpad array that is not aligned",
      [](hand_driver& d) {
        d.halt();
        d.context_pointer(0) += 8;
        d.input.as<u64>()[1] = d.data.address().value();
        d.op(usbcmd, cmd_run);
        sleep_for(10_ms);
      },
      1);
}

TEST(context_rules, segments_of_a_ring) {
  expect_complaint("a ring segment that crosses 64 KiB", [](hand_driver& d) {
    d.configure();
    constexpr u32 last = 0x1'0000 - sizeof(trb);
    trb link = d.link_to(bulk_out_dci, 0);
    link.parameter = d.data.address().value() + last;
    d.put(bulk_out_dci, 0, link);
    d.data.as<trb>(last)[0] = d.data_trb(512);
    d.work(bulk_out_dci);
  });
  expect_complaint_first("a Link to a place that is not aligned", [](hand_driver& d) {
    d.configure();
    trb link = d.link_to(bulk_out_dci, 100);
    link.parameter += 8;
    d.put(bulk_out_dci, 0, link);
    d.work(bulk_out_dci);
  });
}

TEST(context_rules, dequeue_pointers) {
  expect_complaint("a dequeue pointer with stream bits", [](hand_driver& d) {
    d.leave_in_at_work();
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_in_dci), success);
    d.command(cmd_set_dequeue, d.slot, d.place(bulk_in_dci, 1) | 3, 1, bulk_in_dci);
  });
}

// --- the states that a command needs (4.5.3, 4.8.3) ---

TEST(context_rules, states_that_commands_need) {
  on_controller([](hand_driver& d) {
    d.plug();
    const u64 input = d.input.address().value();
    // The slot is enabled.
    EXPECT_EQ(d.command(cmd_configure_endpoint, d.slot, input), context_state_error);
    EXPECT_EQ(d.command(cmd_evaluate_context, d.slot, input), context_state_error);
    EXPECT_EQ(d.command(cmd_reset_device, d.slot), context_state_error);
    EXPECT_EQ(d.address_device(), success);
    EXPECT_EQ(d.address_device(), context_state_error) << "addressed";
    // EP0 is running.
    EXPECT_EQ(d.command(cmd_reset_endpoint, d.slot, 0, 1, 1), context_state_error);
    EXPECT_EQ(d.command(cmd_set_dequeue, d.slot, d.place(1, 0) | 1, 1, 1), context_state_error);
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, 1), success);
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, 1), context_state_error) << "stopped";
    EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_in_dci), endpoint_not_enabled);
    EXPECT_EQ(d.complaints(), "");
  });
}

// 4.6.9: the three codes of a Stopped event.
TEST(context_rules, stopped_events) {
  on_controller([](hand_driver& d) {
    d.configure();
    u32 index = 0;
    const auto stop = [&] {
      EXPECT_EQ(d.command(cmd_stop_endpoint, d.slot, 0, 1, bulk_in_dci), success);
    };
    for (int i = 0; i < 12; ++i, stop()) d.work(bulk_in_dci);  // nothing is under way
    const auto idle = d.transfer_codes.size();
    EXPECT_GT(idle, 0u);
    EXPECT_LT(idle, 12u);
    for (const u32 code : d.transfer_codes) EXPECT_EQ(code, stopped_length_invalid);
    // A TD of which half has come.
    u32 counts[2] = {0, 0};
    for (int i = 0; i < 12; ++i) {
      d.transfer_codes.clear();
      d.put(bulk_in_dci, index, d.data_trb(bulk_packet, with_chain, 1));
      d.put(bulk_in_dci, index + 1, d.data_trb(bulk_packet));
      d.device.answer = handshake::ack;
      d.device.gives = bulk_packet;
      d.device.packets_to_give = 1;
      d.work(bulk_in_dci);
      stop();
      ASSERT_EQ(d.transfer_codes.size(), 1u);
      const u32 code = d.transfer_codes[0];
      ASSERT_TRUE(code == stopped || code == stopped_short_packet) << code;
      ++counts[code == stopped];
      index += 2;
      const u64 next = d.place(bulk_in_dci, index) | 1;
      EXPECT_EQ(d.command(cmd_set_dequeue, d.slot, next, 1, bulk_in_dci), success);
    }
    EXPECT_GT(counts[0], 0u);
    EXPECT_GT(counts[1], 0u);
    EXPECT_EQ(d.complaints(), "");
  });
}

}  // namespace
}  // namespace sim::hc
