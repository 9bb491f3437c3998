// The resets of a port of the root hub (ports.h), over a PORTSC that the test moves.
#include "tests/drivers/usb/port_register.h"

namespace xhci::over_portsc {
namespace {

// PR is written; when PRC is 1 the port is enabled, and 10 ms later (TRSTRCY) the device listens.
TEST(root_port, resets_a_port_of_usb_2) {
  on_claimed(usb2, connected, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(false, served));
    expect_between(60_ms, since({}), 70_ms);
    ASSERT_EQ(host.resets().size(), 1u);
    EXPECT_EQ(host.resets()[0].value, powered | connected | resetting);
    EXPECT_EQ(host.raw & all_changes, 0u);
    EXPECT_TRUE(port.reset(false, served)) << "also a port that is enabled";
    EXPECT_EQ(host.resets().size(), 2u);
  });
}

TEST(root_port, resets_a_port_again_that_is_not_enabled) {
  on_claimed(usb2, connected, [](root_port& port, port_register& host) {
    host.failing_resets = 4;
    EXPECT_TRUE(port.reset(false, served));
    const auto resets = host.resets();
    ASSERT_EQ(resets.size(), 5u);
    // The first two times soon, then with more patience.
    constexpr std::array<duration, 4> pauses{10_ms, 10_ms, 200_ms, 200_ms};
    for (u32 i = 0; i < pauses.size(); ++i)
      expect_between(50_ms + pauses[i], resets[i + 1].when - resets[i].when, 60_ms + pauses[i]);
  });
  on_claimed(usb2, connected, [](root_port& port, port_register& host) {
    host.failing_resets = 5;
    EXPECT_EQ(port.reset(false, served).error(), error::eio);
    EXPECT_EQ(host.resets().size(), 5u);
    EXPECT_FALSE(port.lost(port.status())) << "it was never enabled";
    EXPECT_EQ(host.raw & all_changes, 0u);
  });
}

TEST(root_port, tells_once_that_its_resets_fail) {
  for (const u8 version : {usb2, usb3})
    on_claimed(version, connected | polling, [&](root_port& port, port_register& host) {
      EXPECT_TRUE(port.reset(true, served));
      EXPECT_EQ(host.told, lines{});
      for (const u32 failing : {2u, 1u}) {
        host.told.clear();
        host.failing_resets = failing;
        EXPECT_TRUE(port.reset(true, served));
        EXPECT_EQ(host.told, lines{failed_reset}) << "once until a reset has helped";
      }
      host.told.clear();
      host.failing_resets = 100;
      for (int i = 0; i < 3; ++i) EXPECT_FALSE(port.reset(true, served));
      EXPECT_EQ(host.told, lines{failed_reset});
    });
}

TEST(root_port, gives_a_reset_eight_tenths_of_a_second) {
  for (const bool in_time : {true, false})
    on_claimed(usb2, connected, [&](root_port& port, port_register& host) {
      host.reset_time = in_time ? 790_ms : 5_s;
      EXPECT_EQ(port.reset(false, served).has_value(), in_time);
      EXPECT_EQ(host.resets().size(), in_time ? 1u : 5u);
      if (!in_time) expect_between(4_s, since({}), 5_s);
    });
}

TEST(root_port, notices_a_pull_during_a_reset) {
  for (const u8 version : {usb2, usb3})
    for (const bool exchanged : {false, true})
      on_claimed(version, connected | inactive, [&](root_port& port, port_register& host) {
        host.at(230_ms, [&](u32& raw) { raw = exchanged ? raw | csc : raw & ~connected; });
        host.resets_end = false;
        EXPECT_EQ(port.reset(true, served).error(), error::enodev);
        expect_between(230_ms, since({}), 250_ms);
        EXPECT_EQ(host.resets().size(), 1u);
        EXPECT_EQ((host.raw & csc) != 0, exchanged) << "tells of a pull, and stays";
      });
}

TEST(root_port, ends_a_reset_with_its_controller) {
  for (const u8 version : {usb2, usb3})
    on_claimed(version, connected, [](root_port& port, port_register& host) {
      host.resets_end = false;
      host.at(100_ms, [&host](u32&) { host.is_dead = true; });
      EXPECT_EQ(port.reset(true, served).error(), error::enodev);
      EXPECT_LT(since({}).ns, (1_s).ns);
    });
}

// No register of a dead controller is touched, whatever the port waits for.
TEST(root_port, leaves_a_dead_controller_alone) {
  for (const u8 version : {usb2, usb3})
    for (i64 ms = 5; ms < 1000; ms += 35)
      on_port(version, powered | connected | csc | inactive,
              [&](root_port& port, port_register& host) {
                host.failing_resets = 2;
                sim::daemon("death", [&] {
                  sleep_for(duration{ms * 1'000'000});
                  host.is_dead = true;
                });
                if (port.claim(true)) static_cast<void>(port.reset(true, unknown_yet));
                EXPECT_FALSE(port.status().connected() && host.is_dead);
                host.is_dead = false;
              });
}

// A USB 3 link trains by itself.
TEST(root_port, leaves_a_link_alone_that_has_trained) {
  on_claimed(usb3, connected | enabled | u0, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(false, served));
    EXPECT_TRUE(host.writes.empty());
    EXPECT_EQ(now().ns, 0);
  });
  on_claimed(usb3, connected | polling, [](root_port& port, port_register& host) {
    host.at(480_ms, [](u32& raw) { raw = (raw & ~link_bits) | enabled | u0; });
    EXPECT_TRUE(port.reset(false, served));
    EXPECT_TRUE(host.resets().empty());
    expect_between(480_ms, since({}), 490_ms);
  });
  on_claimed(usb3, connected | enabled | polling, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(false, served)) << "enabled is not enough";
    EXPECT_EQ(host.resets().size(), 1u);
    expect_between(560_ms, since({}), 580_ms);
  });
}

TEST(root_port, resets_a_link_that_has_trained_only_if_it_must) {
  on_claimed(usb3, connected | enabled | u0, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(true, served));
    ASSERT_EQ(host.resets().size(), 1u);
    EXPECT_EQ(host.resets()[0].value & (resetting | warm_reset), resetting);
    EXPECT_EQ(host.raw & all_changes, 0u);
    expect_between(60_ms, since({}), 70_ms);
  });
}

// 4.19.1.2: these states are left by a warm reset alone.
TEST(root_port, warms_a_link_that_ended_somewhere_else) {
  for (const auto& [state, line] : {std::pair{inactive, link_inactive},
                                    {compliance, in_compliance},
                                    {polling | cas, cold_attach}})
    on_claimed(usb3, connected | state, [&](root_port& port, port_register& host) {
      EXPECT_TRUE(port.reset(true, served));
      EXPECT_EQ(host.told, lines{line});
      ASSERT_EQ(host.resets().size(), 1u);
      EXPECT_EQ(host.resets()[0].value & (resetting | warm_reset), warm_reset);
      EXPECT_EQ(host.raw & all_changes, 0u);
    });
}

// The link of a device that is being pulled is inactive for a moment.
TEST(root_port, gives_an_inactive_link_a_moment) {
  on_claimed(usb3, connected | inactive, [](root_port& port, port_register& host) {
    host.at(50_ms, [](u32& raw) { raw &= ~(connected | link_bits); });
    EXPECT_EQ(port.reset(true, served).error(), error::enodev);
    EXPECT_TRUE(host.resets().empty() && host.told.empty());
    expect_between(50_ms, since({}), 60_ms);
  });
  on_claimed(usb3, connected | inactive, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(true, served));
    expect_between(100_ms, host.resets()[0].when - instant{}, 110_ms);
  });
}

TEST(root_port, warms_a_link_that_a_reset_does_not_help) {
  on_claimed(usb3, connected | polling, [](root_port& port, port_register& host) {
    host.failing_resets = 2;
    EXPECT_TRUE(port.reset(true, served));
    const auto resets = host.resets();
    ASSERT_EQ(resets.size(), 3u);
    for (u32 i = 0; i < 3; ++i)
      EXPECT_EQ(resets[i].value & (resetting | warm_reset), i ? warm_reset : resetting);
    for (u32 i = 1; i < 3; ++i) expect_between(250_ms, resets[i].when - resets[i - 1].when, 270_ms);
  });
  on_claimed(usb3, connected | polling, [](root_port& port, port_register& host) {
    host.failing_resets = 3;
    EXPECT_EQ(port.reset(true, served).error(), error::eio);
    EXPECT_EQ(host.resets().size(), 3u);
    EXPECT_EQ(host.raw & all_changes, 0u);
  });
}

// A link that has failed is lost, but its device was not pulled.
TEST(root_port, tells_a_pull_from_a_link_that_failed) {
  on_port(usb3, powered | connected | csc, [](root_port& port, port_register& host) {
    EXPECT_FALSE(port.pulled(port.status())) << "it was plugged in";
    host.raw &= ~connected;
    EXPECT_TRUE(port.pulled(port.status()));
  });
  on_claimed(usb3, connected | enabled | u0, [](root_port& port, port_register& host) {
    EXPECT_TRUE(port.reset(false, served));
    host.raw = (host.raw & ~(enabled | link_bits)) | inactive;
    EXPECT_TRUE(port.lost(port.status()));
    EXPECT_FALSE(port.pulled(port.status()));
    host.raw |= csc;
    EXPECT_TRUE(port.pulled(port.status()));
    host.raw &= ~(csc | connected);
    EXPECT_TRUE(port.pulled(port.status()));
  });
}

// A warm reset may show the same device as connected anew. Of one that is served, that counts as a
// pull, because it may be another device.
TEST(root_port, takes_no_warm_reset_of_an_unknown_device_for_a_pull) {
  for (const auto which : {served, unknown_yet})
    for (const bool for_good : {false, true})
      on_claimed(usb3, connected | compliance, [&](root_port& port, port_register& host) {
        host.at(20_ms, [](u32& raw) { raw = (raw & ~connected) | csc; });
        if (!for_good) host.at(40_ms, [](u32& raw) { raw |= connected; });
        EXPECT_EQ(port.reset(true, which).has_value(), which == unknown_yet && !for_good);
        if (which == served) return;
        EXPECT_EQ(host.raw & csc, 0u);
        EXPECT_EQ(port.lost(port.status()), for_good);
        host.raw |= csc;
        EXPECT_TRUE(port.lost(port.status())) << "it is watched again";
      });
}

// What a warm reset has shown anew may be another device, of which nothing is known.
TEST(root_port, remembers_that_a_reset_may_have_hidden_an_exchange) {
  for (const bool changes : {false, true})
    on_claimed(usb3, connected | compliance, [&](root_port& port, port_register& host) {
      host.failing_resets = 3;
      host.link_of_a_failure = compliance;
      if (changes) host.at(550_ms, [](u32& raw) { raw |= csc; });
      EXPECT_EQ(port.reset(true, unknown_yet).error(), error::eio);
      EXPECT_EQ(host.resets().size(), 3u);
      EXPECT_EQ(port.may_be_another(), changes);
      EXPECT_TRUE(port.reset(true, unknown_yet));
      EXPECT_FALSE(port.may_be_another());
    });
}

// A hot reset that turns into a warm one sets WRC, and PRC with it; some controllers set WRC alone.
TEST(root_port, takes_either_change_for_the_end_of_a_reset) {
  on_claimed(usb3, connected | inactive, [](root_port& port, port_register& host) {
    host.resets_end = false;
    host.at(200_ms, [](u32& raw) { raw = (raw & ~(resetting | link_bits)) | wrc | enabled | u0; });
    EXPECT_TRUE(port.reset(true, served));
    expect_between(200_ms, since({}), 225_ms);
  });
}

}  // namespace
}  // namespace xhci::over_portsc
