// A PORTSC that the test moves (xHCI 1.2, 5.4.8), and a root port over it: plug, bounce, reset,
// pull.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "drivers/usb/xhci/ports.h"
#include "hal/clock.h"
#include "hal/wait.h"
#include "tests/sim/scheduler.h"

namespace xhci::over_portsc {

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
  void tell(u32 port, const char* trouble) const override {
    EXPECT_EQ(port, 3u);
    told.emplace_back(trouble);
  }
  mutable std::vector<std::string> told;  // since the beginning

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
inline void on_port(u8 version, u32 now,
                    const std::function<void(root_port&, port_register&)>& body) {
  sim::run(1, [&] {
    port_register host(now);
    root_port port;
    port.begin_as(host, 3);
    port.set_protocol(version, 5);
    body(port, host);
  });
}
inline duration since(instant begun) { return now() - begun; }
inline void expect_between(duration least, duration time, duration most) {
  EXPECT_GE(time.ns, least.ns);
  EXPECT_LE(time.ns, most.ns);
}

// What is told of a port, once for each trouble (ports.h).
using lines = std::vector<std::string>;
constexpr const char *bouncing = "the contacts bounce",
                     *cold_attach = "cold attach, a warm reset follows",
                     *link_inactive = "the link is inactive, a warm reset follows",
                     *in_compliance = "the link is in compliance mode, a warm reset follows",
                     *failed_reset = "a reset has failed, another one follows";

// The same with a port that has an occupant. What was written until then is forgotten.
inline void on_claimed(u8 version, u32 portsc,
                       const std::function<void(root_port&, port_register&)>& body) {
  on_port(version, powered | portsc, [&](root_port& port, port_register& host) {
    ASSERT_TRUE(port.claim(false));
    host.writes.clear();
    body(port, host);
  });
}

}  // namespace xhci::over_portsc
