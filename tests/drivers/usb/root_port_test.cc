// A port of the root hub (ports.h), over a PORTSC that the test moves: its occupant, its power, its
// link. The resets stand in root_port_reset_test.cc.
#include "tests/drivers/usb/port_register.h"

namespace xhci::over_portsc {
namespace {

TEST(root_port, is_of_the_version_that_it_was_told) {
  on_port(usb3, 0, [](root_port& port, port_register& host) {
    EXPECT_EQ(port.number(), 3u);
    EXPECT_EQ(port.slot_type(), 5);
    EXPECT_TRUE(port.supported() && port.is_super_speed());
    port.given_up = port.wants_slot = true;
    port.begin_as(host, 3);
    EXPECT_FALSE(port.supported() || port.given_up || port.wants_slot);
    port.set_protocol(usb2, 0);
    EXPECT_TRUE(port.supported() && !port.is_super_speed());
    for (const u8 unknown : {u8{1}, u8{4}}) {
      port.set_protocol(unknown, 0);
      EXPECT_FALSE(port.supported());
    }
  });
}

TEST(root_port, is_given_power_only_if_it_has_none) {
  on_port(usb2, powered, [](root_port& port, port_register& host) {
    port.power_on();
    EXPECT_TRUE(host.writes.empty());
    host.raw = 0;
    port.power_on();
    ASSERT_EQ(host.writes.size(), 1u);
    EXPECT_EQ(host.writes[0].value, powered);
  });
}

// 4.19.2: one event for the first change bit, and none until all are clear.
TEST(root_port, has_no_change_bit_left_when_they_are_cleared) {
  on_port(usb2, powered | connected | csc | prc, [](root_port& port, port_register& host) {
    port.clear_changes();
    EXPECT_EQ(host.raw & all_changes, 0u);
    EXPECT_EQ(host.writes.size(), 1u);
    port.clear_changes();
    EXPECT_EQ(host.writes.size(), 1u) << "there was none";
    host.is_dead = true;
    host.raw |= csc;
    port.clear_changes();
    EXPECT_EQ(host.writes.size(), 1u) << "the controller does not answer any more";
  });
}

// --- the occupant begins ---

TEST(root_port, is_claimed_at_once_by_a_device_that_was_there_before) {
  on_port(usb2, powered | connected | csc, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.claim(false));
    EXPECT_EQ(now().ns, 0);
    EXPECT_EQ(host.raw & all_changes, 0u);
    EXPECT_FALSE(port.lost(port.status()));
    host.raw &= ~connected;
    EXPECT_TRUE(port.lost(port.status()));
    EXPECT_EQ(port.claim(false).error(), error::enodev);
  });
}

// USB 2.0, 7.1.7.3: contact must have been steady for 100 ms.
TEST(root_port, waits_until_contact_has_been_steady) {
  on_port(usb2, powered | connected | csc, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.claim(true));
    expect_between(100_ms, since({}), 125_ms);
    EXPECT_EQ(host.raw & all_changes, 0u);
  });
  on_port(usb2, powered | connected | csc, [](root_port& port, port_register& host) {
    host.at(60_ms, [](u32& raw) { raw |= csc; });
    EXPECT_TRUE(port.claim(true));
    expect_between(160_ms, since({}), 200_ms);
  });
}

TEST(root_port, is_not_claimed_by_a_plug_that_never_comes_to_rest) {
  on_port(usb2, powered | connected | csc, [](root_port& port, port_register& host) {
    for (int i = 1; i < 40; ++i) host.at(duration{i * 70'000'000}, [](u32& raw) { raw |= csc; });
    EXPECT_EQ(port.claim(true).error(), error::enodev);
    expect_between(2_s, since({}), 2025_ms);
    EXPECT_EQ(host.told, lines{bouncing});
    host.raw |= csc;
    EXPECT_FALSE(port.lost(port.status())) << "it has no occupant";
  });
}

TEST(root_port, is_not_claimed_by_a_device_that_leaves_meanwhile) {
  on_port(usb2, powered | connected | csc, [](root_port& port, port_register& host) {
    host.at(40_ms, [](u32& raw) { raw &= ~connected; });
    EXPECT_EQ(port.claim(true).error(), error::enodev);
    expect_between(40_ms, since({}), 75_ms);
  });
  on_port(usb2, powered | connected, [](root_port& port, port_register& host) {
    host.is_dead = true;
    EXPECT_EQ(port.claim(true).error(), error::enodev);
    EXPECT_EQ(now().ns, 0);
  });
}

// --- what counts as a loss ---

TEST(root_port, tells_a_loss_by_every_sign_of_one) {
  struct sign {
    u8 version;
    u32 portsc;
    bool before_reset, after_reset;
  };
  constexpr u32 well = powered | connected | enabled | u0;
  for (const sign& s :
       std::initializer_list<sign>{{usb2, well, false, false},
                                   {usb2, well | plc | pec, false, false},
                                   {usb2, well | csc, true, true},
                                   {usb2, well & ~connected, true, true},
                                   {usb2, well & ~enabled, false, true},
                                   {usb2, well | inactive, false, false},
                                   {usb3, well, false, false},
                                   {usb3, well | inactive, false, true},
                                   {usb3, (well & ~enabled) | inactive, false, true},
                                   {usb3, well | link(link_state::recovery), false, false}}) {
    on_port(s.version, well, [&](root_port& port, port_register&) {
      const port_status now{s.portsc};
      EXPECT_FALSE(port.lost(now)) << "not watched";
      EXPECT_TRUE(port.claim(false));
      EXPECT_EQ(port.lost(now), s.before_reset) << std::hex << s.portsc;
      EXPECT_TRUE(port.reset(true, served));
      EXPECT_EQ(port.lost(now), s.after_reset) << std::hex << s.portsc;
      port.vacate();
      EXPECT_FALSE(port.lost(now));
      EXPECT_TRUE(port.claim(false));
      EXPECT_EQ(port.lost(now), s.before_reset) << "the next one";
    });
  }
}

// 7.2.2.1.1: 5 to 7 are the kinds of SuperSpeedPlus; a controller may define more.
TEST(root_port, knows_every_speed) {
  using usb::speed;
  const auto speed_of = [](u8 version, u32 id) {
    speed found{};
    on_port(version, powered | connected | id << 10,
            [&](root_port& port, port_register&) { found = port.speed(); });
    return found;
  };
  const std::array usb2_speeds{speed::none, speed::full, speed::low, speed::high, speed::none};
  for (u32 id = 0; id < usb2_speeds.size(); ++id) EXPECT_EQ(speed_of(usb2, id), usb2_speeds[id]);
  EXPECT_EQ(speed_of(usb3, 0), speed::none);
  EXPECT_EQ(speed_of(usb3, 4), speed::super);
  for (u32 id = 5; id < 16; ++id) EXPECT_EQ(speed_of(usb3, id), speed::super_plus) << id;
}

// --- power and links without a device ---

constexpr u32 over_current = 1u << 3, occ = 1u << 20, cec = 1u << 23;
using news = root_port::power_news;

TEST(root_port, gets_its_power_back_after_over_current) {
  on_port(usb2, powered | connected, [](root_port& port, port_register& host) {
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    host.raw = over_current | occ | csc;
    EXPECT_EQ(port.tend_power(port.status()), news::off);
    EXPECT_EQ(port.tend_power(port.status()), news::none) << "it is told once";
    sleep_for(10_s);
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    EXPECT_TRUE(host.writes.empty()) << "no power as long as it lasts";
    host.raw = 0;
    sleep_for(990_ms);
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    sleep_for(20_ms);
    EXPECT_EQ(port.tend_power(port.status()), news::on);
    EXPECT_EQ(host.raw & powered, powered);
    EXPECT_EQ(port.tend_power(port.status()), news::none);
  });
}

// It may be over before the port is looked at.
TEST(root_port, sees_over_current_that_is_over) {
  on_port(usb2, occ, [](root_port& port, port_register&) {
    EXPECT_EQ(port.tend_power(port.status()), news::off);
  });
  on_port(usb2, powered | occ, [](root_port& port, port_register&) {
    EXPECT_EQ(port.tend_power(port.status()), news::none) << "it has its power";
  });
}

// A reset clears the change bit that tells of over-current.
TEST(root_port, without_power_is_a_port_with_over_current) {
  on_port(usb2, powered, [](root_port& port, port_register& host) {
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    host.raw = 0;
    EXPECT_EQ(port.tend_power(port.status()), news::off);
    sleep_for(990_ms);
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    sleep_for(20_ms);
    EXPECT_EQ(port.tend_power(port.status()), news::on);
    EXPECT_EQ(host.raw & powered, powered);
  });
  on_port(usb2, over_current, [](root_port& port, port_register& host) {
    port.power_on();
    EXPECT_TRUE(host.writes.empty()) << "not as long as it is too much";
  });
}

// After a start the power may come late: that is no over-current.
TEST(root_port, gets_its_power_however_late_it_comes) {
  on_port(usb2, 0, [](root_port& port, port_register& host) {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(port.tend_power(port.status()), news::none);
      EXPECT_EQ(host.raw & powered, powered) << "it was asked for once more";
      host.raw = 0;
      sleep_for(50_ms);
    }
    host.raw = powered;
    EXPECT_EQ(port.tend_power(port.status()), news::none);
    host.raw = 0;
    EXPECT_EQ(port.tend_power(port.status()), news::off) << "now it has lost it";
  });
}

TEST(root_port, waits_longer_each_time_that_over_current_comes_back) {
  on_port(usb2, powered, [](root_port& port, port_register& host) {
    const auto time_without_power = [&] {
      host.raw = occ;
      EXPECT_EQ(port.tend_power(port.status()), news::off);
      host.raw = 0;
      const instant begun = now();
      while (port.tend_power(port.status()) == news::none) sleep_for(50_ms);
      return since(begun).ns / 1'000'000'000;
    };
    for (const i64 pause : {1, 2, 4, 8, 16, 32, 64, 64}) EXPECT_EQ(time_without_power(), pause);
    sleep_for(61_s);
    EXPECT_EQ(time_without_power(), 1) << "that was another trouble";
  });
}

TEST(root_port, warms_a_link_that_shows_no_device) {
  for (const u32 stuck : {compliance, polling | cas, inactive})
    on_port(usb3, powered | stuck, [](root_port& port, port_register& host) {
      port.tend_link(port.status());
      ASSERT_EQ(host.resets().size(), 1u);
      EXPECT_EQ(host.resets()[0].value & (resetting | warm_reset), warm_reset);
      port.tend_link(port.status());
      EXPECT_EQ(host.resets().size(), 1u) << "it is being reset";
    });
  on_port(usb3, powered | compliance, [](root_port& port, port_register& host) {
    host.failing_resets = 1;
    host.link_of_a_failure = compliance;
    port.tend_link(port.status());
    sleep_for(900_ms);
    port.tend_link(port.status());
    EXPECT_EQ(host.resets().size(), 1u) << "once a second";
    sleep_for(100_ms);
    port.tend_link(port.status());
    EXPECT_EQ(host.resets().size(), 2u);
  });
  for (const auto& [version, portsc] :
       {std::pair{usb2, compliance}, {usb2, polling | cas}, {usb3, polling}, {usb3, u0}})
    on_port(version, powered | portsc, [](root_port& port, port_register& host) {
      port.tend_link(port.status());
      EXPECT_TRUE(host.writes.empty());
    });
}

// Not each time that it is looked at, nor at each reset.
TEST(root_port, tells_once_what_keeps_its_link_from_training) {
  for (const auto& [stuck, line] : {std::pair{compliance, in_compliance},
                                    {polling | cas, cold_attach},
                                    {inactive, link_inactive}})
    on_port(usb3, powered | stuck, [&](root_port& port, port_register& host) {
      host.failing_resets = 100;
      host.link_of_a_failure = stuck & link_bits;
      const auto looks = [&](u32 portsc) {
        host.raw = powered | portsc;
        for (int i = 0; i < 80; ++i, sleep_for(50_ms)) port.tend_link(port.status());
      };
      looks(stuck);
      EXPECT_GE(host.resets().size(), 4u);
      EXPECT_EQ(host.told, lines{line});
      looks(link(link_state::rx_detect));
      looks(stuck);
      EXPECT_EQ(host.told, (lines{line, line})) << "that was another trouble";
    });
}

// A device that comes and goes within moments is one trouble.
TEST(root_port, tells_a_trouble_again_only_after_some_calm) {
  on_port(usb3, powered | compliance, [](root_port& port, port_register& host) {
    for (const duration calm : {1_s, 2900_ms, 3100_ms}) {
      host.raw = powered | compliance;
      port.tend_link(port.status());
      EXPECT_EQ(host.told.size(), 1u);
      sleep_for(calm);
      host.raw = powered | link(link_state::rx_detect);
      port.tend_link(port.status());
    }
    host.raw = powered | compliance;
    port.tend_link(port.status());
    EXPECT_EQ(host.told.size(), 2u);
  });
}

TEST(root_port, clears_what_its_occupant_does_not_wait_for) {
  on_port(usb3, powered | connected | all_changes, [](root_port& port, port_register& host) {
    port.clear_minor_changes(port.status());
    EXPECT_EQ(host.raw & all_changes, csc | prc | wrc);
    EXPECT_EQ(host.writes.size(), 1u);
    port.clear_minor_changes(port.status());
    EXPECT_EQ(host.writes.size(), 1u) << "there was none";
    for (const u32 each : {pec, occ, plc, cec}) {
      host.raw |= each;
      port.clear_minor_changes(port.status());
      EXPECT_EQ(host.raw & each, 0u);
    }
  });
}

}  // namespace
}  // namespace xhci::over_portsc
