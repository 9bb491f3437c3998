// A port of the root hub (ports.h), over a PORTSC that the test moves: plug, bounce, reset, pull.
#include "drivers/usb/xhci/ports.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <vector>

#include "hal/clock.h"
#include "hal/wait.h"
#include "tests/sim/scheduler.h"

namespace xhci {
namespace {

constexpr u32 connected = 1, enabled = 2, resetting = 1u << 4, powered = 1u << 9, csc = 1u << 17,
              pec = 1u << 18, wrc = 1u << 19, prc = 1u << 21, plc = 1u << 22, cas = 1u << 24,
              warm_reset = 1u << 31, all_changes = 0x7Fu << 17;
constexpr u32 link(link_state state) { return static_cast<u32>(state) << 5; }
constexpr u32 u0 = link(link_state::u0), polling = link(link_state::polling),
              inactive = link(link_state::inactive), compliance = link(link_state::compliance);
constexpr u32 link_bits = 15u << 5;

// PORTSC as the specification has it (xHCI 1.2, 5.4.8).
class port_register final : public port_host {
 public:
  explicit port_register(u32 now) : raw(now) {}

  mutable u32 raw;
  mutable bool is_dead = false;
  // How a reset ends: after this time, with or without an enabled port.
  duration reset_time = 50_ms;
  mutable u32 failing_resets = 0;
  u32 link_of_a_failure = polling;
  bool resets_end = true;
  // At these times PORTSC changes.
  mutable std::multimap<i64, std::function<void(u32&)>> moves;
  void at(duration when, std::function<void(u32&)> move) { moves.emplace((now() + when).ns, move); }

  // What was written, and when.
  struct written {
    instant when;
    u32 value;
  };
  mutable std::vector<written> writes;
  std::vector<written> resets() const {
    std::vector<written> found;
    for (const written& each : writes)
      if (each.value & (resetting | warm_reset)) found.push_back(each);
    return found;
  }

  u32 read_operational(u32 offset) const override {
    EXPECT_EQ(offset, 0x420u) << "of port 3";
    advance();
    return raw;
  }
  void write_operational(u32 offset, u32 value) const override {
    EXPECT_EQ(offset, 0x420u);
    advance();
    EXPECT_FALSE(value & enabled) << "disables the port";
    writes.push_back({now(), value});
    raw &= ~(value & all_changes);
    raw = (raw & ~powered) | (value & powered);
    if (!(value & (resetting | warm_reset))) return;
    raw = (raw & ~(enabled | link_bits)) | resetting | polling;
    if (resets_end) reset_end_ = now() + reset_time;
    warm_ = value & warm_reset;
  }
  bool dead() const override { return is_dead; }

 private:
  void advance() const {
    EXPECT_FALSE(is_dead) << "a dead controller may be under reset";
    while (!moves.empty() && moves.begin()->first <= now().ns) {
      moves.begin()->second(raw);
      moves.erase(moves.begin());
    }
    if (now() < reset_end_ || !(raw & resetting)) return;
    reset_end_ = never;
    const bool fails = failing_resets > 0;
    if (fails) --failing_resets;
    raw = (raw & ~(resetting | link_bits)) | prc | (warm_ ? wrc : 0);
    raw |= fails ? link_of_a_failure : enabled | u0;
  }
  mutable instant reset_end_ = never;
  mutable bool warm_ = false;
};

constexpr u8 usb2 = 2, usb3 = 3;
constexpr auto served = root_port::device_is::served, unknown_yet = root_port::device_is::unknown;

// A port 3 of that version, with this PORTSC, inside a world.
void on_port(u8 version, u32 now, const std::function<void(root_port&, port_register&)>& body) {
  sim::run(1, [&] {
    port_register host(now);
    root_port port;
    port.begin_as(host, 3);
    port.set_protocol(version, 5);
    body(port, host);
  });
}
duration since(instant begun) { return now() - begun; }
void expect_between(duration least, duration time, duration most) {
  EXPECT_GE(time.ns, least.ns);
  EXPECT_LE(time.ns, most.ns);
}

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
    port.wants_slot = true;
    EXPECT_TRUE(port.claim(false));
    EXPECT_EQ(now().ns, 0);
    EXPECT_EQ(host.raw & all_changes, 0u);
    EXPECT_FALSE(port.wants_slot);
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

// --- resets ---

void on_claimed(u8 version, u32 portsc,
                const std::function<void(root_port&, port_register&)>& body) {
  on_port(version, powered | portsc, [&](root_port& port, port_register& host) {
    ASSERT_TRUE(port.claim(false));
    host.writes.clear();
    body(port, host);
  });
}

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
  for (const u32 state : {inactive, compliance, polling | cas})
    on_claimed(usb3, connected | state, [](root_port& port, port_register& host) {
      EXPECT_TRUE(port.reset(true, served));
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
    EXPECT_TRUE(host.resets().empty());
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
}  // namespace xhci
