// The simulated controller itself: it must execute correct commands and refuse wrong ones. The
// rules that it complains of are tested in the *_rules_test.cc beside this.
#include "tests/sim/xhci/controller.h"

#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

TEST(simulated_xhci, answers_commands) {
  on_controller([](hand_driver& d) {
    EXPECT_EQ(d.command(cmd_no_op), success);
    EXPECT_EQ(d.command(cmd_enable_slot), success);
    EXPECT_EQ(d.model().slots_in_use(), 1u);
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(simulated_xhci, moves_data_and_has_nothing_to_complain_of) {
  on_controller([](hand_driver& d) {
    d.configure();
    d.device.gives = 512;
    d.put(bulk_in_dci, 0, d.data_trb(512));
    d.put(bulk_out_dci, 0, d.data_trb(512, with_chain, 1));
    d.put(bulk_out_dci, 1, d.data_trb(512));
    d.work(bulk_in_dci);
    d.work(bulk_out_dci);
    EXPECT_EQ(d.device.toggles, 1u << bulk_in_dci | 1u << bulk_out_dci);
    EXPECT_EQ(d.command(cmd_disable_slot, d.slot), success);
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(simulated_xhci, leaves_a_trb_with_the_wrong_cycle_bit_alone) {
  on_controller([](hand_driver& d) { EXPECT_EQ(d.command(cmd_no_op, 0, 0, 0), 0u); });
}

TEST(simulated_xhci, refuses_commands_for_slots_that_are_disabled) {
  on_controller([](hand_driver& d) {
    EXPECT_EQ(d.command(cmd_disable_slot, 3), slot_not_enabled);
    EXPECT_EQ(d.command(cmd_stop_endpoint, 3, 0, 1, 2), slot_not_enabled);
  });
}

TEST(simulated_xhci, refuses_an_input_context_without_its_flags) {
  on_controller([](hand_driver& d) {
    ASSERT_EQ(d.enable_slot(), success);
    EXPECT_EQ(d.address_device(), trb_error);
  });
}

TEST(simulated_xhci, has_no_more_slots_than_it_has) {
  on_controller([](hand_driver& d) {
    for (int i = 0; i < 8; ++i) EXPECT_EQ(d.command(cmd_enable_slot), success);
    EXPECT_EQ(d.command(cmd_enable_slot), no_slots);
  });
}

TEST(simulated_xhci, aborts_a_command_that_hangs) {
  on_controller([](hand_driver& d) {
    d.model().hang_command = u32{cmd_no_op};
    EXPECT_EQ(d.command(cmd_no_op), 0u);
    d.op(crcr_low, crcr_abort);
    d.op(crcr_high, 0);
    sleep_for(1_s);
    EXPECT_EQ(d.command(cmd_no_op), command_aborted) << "the event of the one before";
    EXPECT_EQ(d.complaints(), "");
  });
}

}  // namespace
}  // namespace sim::hc
