// The root hub (xHCI 1.2, 4.19).
#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

namespace {
constexpr u32 speed_bits = 0xFu << 10, link_bits = 0xFu << 5;
}

bool controller::any_port_resetting() const {
  for (const port& p : ports_)
    if (p.status & port_reset) return true;
  return false;
}

// Sends an event when the first change bit is set, and the next one only after all were cleared.
void controller::set_changes(u32 number, u32 changes) {
  port& p = ports_[number];
  const bool news = !(p.status & all_changes);
  p.status |= changes;
  if (!chosen_.like_qemu) status_ |= sts_port_change;
  if (news) post({u64{number} << 24, success << 24, event_port << 10});
}

// --- plug and pull ---

void controller::plug(u32 number, usb_function& device) {
  port& p = ports_[number];
  if (p.pull_unnoticed) notice_pull(number);
  p.device = &device;
  ++p.connection;
  device.ready = [this, number] { wake_endpoints(number); };
  p.contact.reset();
  device.attached(speed_in(number));
  if (chosen_.like_qemu) return show_connection(number);
  const u32 connection = p.connection;
  time_.between(
      {}, 15_ms,
      [this, number, connection] {  // until the contacts are closed and the link has trained
        if (ports_[number].connection != connection || (ports_[number].status & port_connected))
          return;
        show_connection(number);
        if (bouncing.ns > 0) bounce(number, connection, now() + bouncing);
      });
}

// The contacts open and close again.
void controller::bounce(u32 number, u32 connection, instant until) {
  time_.between(5_ms, 40_ms, [=, this] {
    if (ports_[number].connection != connection || now() >= until) return;
    hide_connection(number);
    set_changes(number, change_connect);
    time_.between(20_us, 200_us, [=, this] {
      if (ports_[number].connection != connection) return;
      show_connection(number);
      bounce(number, connection, until);
    });
  });
}

bus_speed controller::speed_in(u32 number) const {
  if (is_super(number)) return bus_speed::super;
  if (ports_[number].device->low_speed) return bus_speed::low;
  return ports_[number].device->full_speed ? bus_speed::full : bus_speed::high;
}

u32 controller::speed_id(u32 number) const {
  return is_super(number) ? chosen_.super_speed_id : static_cast<u32>(speed_in(number));
}

// How long a host must wait (USB 2.0, 7.1.7.3 and 7.1.7.5): TATTDB after the contact, TRSTRCY after
// a reset.
void controller::check_patience(u32 number) {
  const port& p = ports_[number];
  if (p.contact && now() - *p.contact < 100_ms)
    complain("a device was addressed within 100 ms of its contact");
  if (p.reset_ended && now() - *p.reset_ended < 10_ms)
    complain("a device was addressed within 10 ms of its reset");
}

void controller::show_connection(u32 number) {
  port& p = ports_[number];
  if (!(status_ & sts_halted)) p.contact = now();
  p.reset_ended.reset();
  if (!(p.status & port_power)) return;
  p.status &= ~(speed_bits | link_bits | port_enabled);
  if (is_super(number) && p.trains != training::good) {
    p.status |= p.trains == training::compliance ? link_compliance << 5
                                                 : link_rx_detect << 5 | port_cold_attach;
    return;
  }
  p.status |= port_connected;
  if (is_super(number)) {
    p.status |= port_enabled | speed_id(number) << 10 | link_u0 << 5;
    p.device->bus_reset();
  } else {
    p.status |= link_polling << 5;
  }
  set_changes(number, change_connect);
}

// PORTSC shows no device any more.
void controller::hide_connection(u32 number) {
  port& p = ports_[number];
  p.status &=
      ~(port_connected | port_enabled | port_reset | port_cold_attach | speed_bits | link_bits);
  p.status |= link_rx_detect << 5;
}

void controller::unplug(u32 number) {
  port& p = ports_[number];
  p.device = nullptr;
  p.trains = training::good;
  ++p.connection;
  p.pull_unnoticed = true;
  wake_endpoints(number);
  const bool at_once = chosen_.like_qemu || random_chance(2);
  if (at_once) return notice_pull(number);
  const u32 connection = p.connection;
  time_.between({}, 1_ms, [this, number, connection] {
    if (ports_[number].connection == connection && ports_[number].pull_unnoticed)
      notice_pull(number);
  });
}

void controller::notice_pull(u32 number) {
  port& p = ports_[number];
  p.pull_unnoticed = false;
  const bool shown = p.status & port_connected, reset_ended = p.status & port_reset;
  hide_connection(number);
  if (!shown) return;  // PORTSC has never shown it
  if (chosen_.like_qemu) p.status &= ~all_changes;
  if (before_pull_event) before_pull_event();
  set_changes(number, change_connect | (reset_ended && random_chance(2) ? change_reset : 0));
}

// The slot's device, if packets reach it: the device that was addressed is still in the port, and
// the port is enabled.
usb_function* controller::reachable(const slot& s) const {
  const port& p = ports_[s.root_port];
  const bool same = p.connection == s.connection && p.device;
  return same && (p.status & port_enabled) ? p.device : nullptr;
}

void controller::wake_endpoints(u32 number) {
  for (u32 id = 1; id < slots_.size(); ++id)
    if (slots_[id].enabled && slots_[id].root_port == number)
      for (u32 dci = 1; dci < 32; ++dci)
        if (endpoint& e = slots_[id].endpoints[dci]; e.waiting) {
          e.waiting = false;
          kick(id, dci);
        }
}

// --- trouble ---

void controller::lose_link(u32 number) {
  port& p = ports_[number];
  p.status = (p.status & ~(port_enabled | link_bits)) | link_inactive << 5;
  set_changes(number, change_link);
}

void controller::disable_port(u32 number) {
  port& p = ports_[number];
  p.status = (p.status & ~(port_enabled | link_bits)) | link_disabled << 5;
  set_changes(number, change_enabled);
}

void controller::over_current(u32 number) {
  port& p = ports_[number];
  const u32 connect = p.status & port_connected ? change_connect : 0;
  hide_connection(number);
  p.status = (p.status & ~port_power) | port_over_current;
  ++p.connection;
  set_changes(number, change_over_current | connect);
}

void controller::end_over_current(u32 number) {
  ports_[number].status &= ~port_over_current;
  set_changes(number, change_over_current);
}

// --- PORTSC ---

void controller::switch_on(u32 number) {
  port& p = ports_[number];
  if (p.status & port_over_current) {
    complain("power for a port with over-current");
    return set_changes(number, change_over_current);
  }
  p.status |= port_power;
  p.powered = now();
  if (p.device) {
    ++p.connection;
    p.device->attached(speed_in(number));
    show_connection(number);
  }
  p.contact.reset();
}

void controller::write_port(u32 number, u32 value) {
  if (status_ & sts_halted) complain("PORTSC was written while the controller was halted");
  if (value & portsc_zero) complain("reserved bits of PORTSC are not 0");
  port& p = ports_[number];
  p.status &= ~(value & all_changes);
  if ((value & port_enabled) && !chosen_.like_qemu) {
    p.status &= ~(port_enabled | link_bits);
    p.status |= link_disabled << 5;
  }
  if (!(value & port_power)) {
    hide_connection(number);
    p.status &= ~port_power;
    return;
  }
  if (!(p.status & port_power)) switch_on(number);
  if (!(value & (port_reset | port_warm_reset))) return;
  if ((value & port_warm_reset) && !is_super(number)) complain("a warm reset of a USB 2 port");
  if (p.powered && now() - *p.powered < 20_ms) complain("a reset within 20 ms of the port's power");
  if ((value & port_reset) || is_super(number)) reset_port(number, value & port_warm_reset);
}

// A warm reset trains the link anew, from any state.
void controller::reset_port(u32 number, bool warm) {
  port& p = ports_[number];
  const bool stuck = p.device && p.trains != training::good;
  if (!(p.status & port_connected) && !(warm && stuck)) return;
  if (p.status & port_reset) return;
  const bool helps = warm || (p.status & link_bits) != link_inactive << 5;
  p.status &= ~(port_enabled | port_cold_attach | link_bits);
  p.status |= port_reset | link_polling << 5;
  const u32 connection = p.connection;
  if (chosen_.like_qemu) return finish_reset(number, warm, connection);
  time_.between(5_ms, 30_ms, [this] { step(step_kind::port_reset); });
  time_.between(31_ms, 60_ms, [=, this] {
    if (!helps && ports_[number].connection == connection && (ports_[number].status & port_reset))
      return fail_reset(number, warm);
    finish_reset(number, warm, connection);
  });
}

void controller::finish_reset(u32 number, bool warm, u32 connection) {
  port& p = ports_[number];
  if (p.connection != connection || !(p.status & port_reset)) return;
  if (p.failing_resets > 0) {
    --p.failing_resets;
    return fail_reset(number, warm);
  }
  const bool appears = !(p.status & port_connected) || (warm && random_chance(2));
  p.trains = training::good;
  p.device->bus_reset();
  p.status &= ~(port_reset | speed_bits | link_bits);
  p.status |= port_connected | port_enabled | speed_id(number) << 10;
  p.reset_ended = now();
  if (kills_at(moment::reset_of_its_port, number)) return break_down();
  set_changes(number,
              change_reset | (warm ? change_warm_reset : 0) | (appears ? change_connect : 0));
}

// The port is not enabled. A USB 3 link ends in Inactive.
void controller::fail_reset(u32 number, bool warm) {
  port& p = ports_[number];
  p.status &= ~(port_reset | link_bits);
  p.status |= (is_super(number) ? link_inactive : link_polling) << 5;
  set_changes(number,
              change_reset | (warm ? change_warm_reset : 0) | (is_super(number) ? change_link : 0));
}

}  // namespace sim::hc
