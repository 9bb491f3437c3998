// The simulated root hub (xHCI 1.2, 4.19): the states of its ports, and what leads out of them; and
// the interrupt as a level.
#include <gtest/gtest.h>

#include "hal/irq.h"
#include "hal/wait.h"
#include "tests/sim/xhci/hand_driver.h"

namespace sim::hc {
namespace {

constexpr u32 super_port = 1, high_port = 3;
u32 portsc(u32 number) { return port_base + 16 * (number - 1); }
u32 status(hand_driver& d, u32 number) { return d.read_op(portsc(number)); }
u32 link_of(u32 status) { return status >> 5 & 15; }
// Clears all changes, and resets the port.
void clear(hand_driver& d, u32 number) { d.op(portsc(number), port_power | all_changes); }
void reset(hand_driver& d, u32 number, u32 how) {
  d.op(portsc(number), port_power | how);
  sleep_for(100_ms);
}

TEST(port_rules, one_event_until_all_changes_are_cleared) {
  on_controller([](hand_driver& d) {
    d.model().tell_changes(super_port, change_link);
    d.model().tell_changes(super_port, change_config_error);
    EXPECT_EQ(d.unseen_events(), 1u);
    clear(d, super_port);
    d.model().tell_changes(super_port, change_link);
    EXPECT_EQ(d.unseen_events(), 2u);
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(port_rules, over_current) {
  on_controller([](hand_driver& d) {
    d.model().plug(super_port, d.device);
    sleep_for(20_ms);
    clear(d, super_port);
    d.model().over_current(super_port);
    EXPECT_EQ(status(d, super_port) & (port_over_current | port_power | port_connected),
              port_over_current);
    EXPECT_EQ(status(d, super_port) & all_changes, change_over_current | change_connect);
    d.op(portsc(super_port), all_changes);
    d.model().end_over_current(super_port);
    EXPECT_EQ(status(d, super_port) & all_changes, change_over_current);
    d.op(portsc(super_port), all_changes | port_power);
    EXPECT_TRUE(status(d, super_port) & port_connected) << "it was there all the time";
    EXPECT_EQ(d.complaints(), "");
  });
  expect_complaint("power for a port with over-current", [](hand_driver& d) {
    d.model().over_current(super_port);
    d.op(portsc(super_port), port_power);
    EXPECT_FALSE(status(d, super_port) & port_power);
  });
}

TEST(port_rules, states_that_only_a_warm_reset_ends) {
  for (const auto how : {controller::training::compliance, controller::training::cold_attach})
    on_controller([&](hand_driver& d) {
      const bool cold = how == controller::training::cold_attach;
      d.model().train_as(super_port, how);
      d.model().plug(super_port, d.device);
      sleep_for(20_ms);
      const u32 before = status(d, super_port);
      EXPECT_FALSE(before & (port_connected | all_changes));
      EXPECT_EQ((before & port_cold_attach) != 0, cold);
      EXPECT_EQ(link_of(before) == link_compliance, !cold);
      EXPECT_EQ(d.unseen_events(), 0u);
      reset(d, super_port, port_reset);
      EXPECT_EQ(status(d, super_port), before) << "nothing is connected";
      reset(d, super_port, port_warm_reset);
      const u32 after = status(d, super_port);
      EXPECT_EQ(after & (port_connected | port_enabled | port_cold_attach),
                port_connected | port_enabled);
      EXPECT_EQ(after & all_changes, change_connect | change_reset | change_warm_reset);
      EXPECT_EQ(d.complaints(), "");
    });
}

TEST(port_rules, inactive) {
  on_controller([](hand_driver& d) {
    d.model().plug(super_port, d.device);
    sleep_for(20_ms);
    clear(d, super_port);
    d.model().lose_link(super_port);
    EXPECT_EQ(link_of(status(d, super_port)), link_inactive);
    EXPECT_EQ(status(d, super_port) & (port_connected | port_enabled), port_connected);
    EXPECT_EQ(status(d, super_port) & all_changes, change_link);
    reset(d, super_port, port_reset);
    EXPECT_EQ(link_of(status(d, super_port)), link_inactive) << "a hot reset does not help";
    EXPECT_FALSE(status(d, super_port) & port_enabled);
    reset(d, super_port, port_warm_reset);
    EXPECT_TRUE(status(d, super_port) & port_enabled);
  });
}

TEST(port_rules, resets_that_fail) {
  on_controller([](hand_driver& d) {
    d.model().plug(high_port, d.device);
    sleep_for(20_ms);
    d.model().fail_resets(high_port, 2);
    for (const bool good : {false, false, true}) {
      clear(d, high_port);
      reset(d, high_port, port_reset);
      EXPECT_EQ((status(d, high_port) & port_enabled) != 0, good);
      EXPECT_EQ(status(d, high_port) & all_changes, change_reset);
    }
  });
}

TEST(port_rules, warm_resets_are_for_usb_3) {
  expect_complaint("a warm reset of a USB 2 port", [](hand_driver& d) {
    d.model().plug(high_port, d.device);
    sleep_for(20_ms);
    reset(d, high_port, port_warm_reset);
    EXPECT_FALSE(status(d, high_port) & port_enabled);
  });
}

TEST(port_rules, babble_disables_a_port) {
  on_controller([](hand_driver& d) {
    d.model().plug(high_port, d.device);
    sleep_for(20_ms);
    reset(d, high_port, port_reset);
    clear(d, high_port);
    d.model().disable_port(high_port);
    EXPECT_EQ(status(d, high_port) & (port_connected | port_enabled), port_connected);
    EXPECT_EQ(status(d, high_port) & all_changes, change_enabled);
  });
}

TEST(port_rules, contacts_bounce) {
  on_controller([](hand_driver& d) {
    d.model().bouncing = 300_ms;
    d.model().plug(super_port, d.device);
    u32 changes = 0;
    for (int ms = 0; ms < 400; ++ms) {
      sleep_for(1_ms);
      changes += (status(d, super_port) & change_connect) != 0;
      clear(d, super_port);
    }
    EXPECT_GT(changes, 6u);
    EXPECT_TRUE(status(d, super_port) & port_connected);
    sleep_for(1_s);
    EXPECT_FALSE(status(d, super_port) & change_connect) << "it is over";
  });
}

TEST(port_rules, a_port_that_is_not_enabled) {
  expect_complaint("Address Device for a port that is not enabled", [](hand_driver& d) {
    d.plug();
    d.model().lose_link(super_port);
    clear(d, super_port);
    EXPECT_EQ(d.address_device(), transaction_error);
  });
}

// --- the interrupt and the event ring ---

u32 interrupts = 0;
bool handle(void* driver) {
  ++interrupts;
  auto& d = *static_cast<hand_driver*>(driver);
  d.op(usbsts, sts_interrupt);
  d.runtime(iman, iman_enable | iman_pending);
  return true;
}

// 4.17.2: the line is a level. It is raised at once when a mask is taken away, and is not again
// while it is raised.
TEST(interrupt_rules, the_line_is_a_level) {
  on_controller([](hand_driver& d) {
    interrupts = 0;
    ASSERT_TRUE(request_irq(11, true, handle, &d));
    EXPECT_EQ(d.command(cmd_no_op), success);
    EXPECT_EQ(interrupts, 0u) << "masked twice";
    d.op(usbcmd, cmd_run | cmd_interrupts);
    EXPECT_EQ(interrupts, 0u) << "masked once";
    d.runtime(iman, iman_enable);
    EXPECT_EQ(interrupts, 1u);
    d.runtime(iman, iman_enable);
    EXPECT_EQ(interrupts, 1u) << "IP was cleared";
    sleep_for(1_ms);
    EXPECT_EQ(d.complaints(), "");
  });
}

TEST(interrupt_rules, erdp) {
  expect_complaint("ERDP leads out of the event ring", [](hand_driver& d) { d.set_dequeue(256); });
  expect_complaint("ERDP goes back, or past the last event", [](hand_driver& d) {
    d.command(cmd_no_op);
    d.set_dequeue(2);
  });
  expect_complaint("ERDP goes back, or past the last event", [](hand_driver& d) {
    d.command(cmd_no_op);
    d.set_dequeue(1);
    d.set_dequeue(0);
  });
}

// --- control transfers ---

trb stage(u32 type, u32 length, u32 flags, u64 parameter = 0) {
  return {parameter, length, type << 10 | flags | with_cycle};
}
constexpr u64 get_descriptor = 0x80 | 6u << 8 | u64{18} << 48;
constexpr u32 out_type = 2u << 16, in_type = 3u << 16;

TEST(transfer_rules, direction_of_data) {
  for (const bool too_long : {false, true})
    expect_complaint("a Data Stage TRB that is not that of the request", [&](hand_driver& d) {
      d.address();
      d.put(1, 0, stage(trb_setup, 8, with_data_inside | in_type, get_descriptor));
      d.device.gives = 18;
      d.put(1, 1,
            stage(trb_data, too_long ? 19 : 18, too_long ? from_device : 0,
                  d.data.address().value()));
      d.work(1);
    });
}

TEST(transfer_rules, direction_of_the_status) {
  expect_complaint("a Status Stage TRB in the wrong direction", [](hand_driver& d) {
    d.address();
    d.put(1, 0, stage(trb_setup, 8, with_data_inside, 0x0900));
    d.put(1, 1, stage(trb_status, 0, 0));
    d.work(1);
  });
}

}  // namespace
}  // namespace sim::hc
