#include "drivers/usb/xhci/ports.h"

#include <algorithm>
#include <array>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/wait.h"

namespace xhci {

namespace {
constexpr i64 reset_recovery = 10;  // milliseconds; TRSTRCY (USB 2.0, 7.1.7.5)

bool is_stuck(port_status at) {
  return at.cold_attach() || at.link() == link_state::compliance ||
         at.link() == link_state::inactive;
}
}  // namespace

// A dead controller may be halted or under reset: none of its registers is touched.
port_status root_port::status() const {
  if (host_->dead()) return port_status{0};
  return port_status{host_->read_operational(operational::portsc(number_))};
}

void root_port::write(u32 value) const {
  if (!host_->dead()) host_->write_operational(operational::portsc(number_), value);
}

usb::speed root_port::speed() const {
  const u32 id = status().speed_id();
  if (is_super_speed() && id > static_cast<u32>(usb::speed::super)) return usb::speed::super_plus;
  if (is_super_speed() && id > 0) return usb::speed::super;
  return id <= static_cast<u32>(usb::speed::high) ? static_cast<usb::speed>(id) : usb::speed::none;
}

void root_port::power_on() const {
  const port_status now = status();
  if (!now.powered() && !now.over_current()) write(now.to_power());
}

void root_port::clear_changes() const {
  for (int tries = 0; tries < 16; ++tries) {
    const port_status now = status();
    if (!now.any_change()) return;
    write(now.to_clear_changes());
  }
}

void root_port::clear_minor_changes(port_status now) const {
  if (now.any_minor_change()) write(now.to_clear_minor_changes());
}

root_port::power_news root_port::tend_power(port_status at) {
  const instant time = now();
  const bool news = !over_current_;
  had_power_ |= at.powered();
  if (!had_power_ && !over_current_ && !at.over_current() && !at.over_current_changed()) {
    power_on();
    return power_news::none;
  }
  if (at.over_current() || (news && !at.powered())) {
    if (news && time - power_back_ > 60_s) pause_ = shortest_pause;
    over_current_ = true;
    last_over_current_ = time;
    return news ? power_news::off : power_news::none;
  }
  if (!over_current_ || time - last_over_current_ < pause_) return power_news::none;
  over_current_ = false;
  power_back_ = time;
  pause_ = std::min(pause_ + pause_, longest_pause);
  power_on();
  return power_news::on;
}

void root_port::tend_link(port_status at) {
  const bool stuck = is_super_speed() && is_stuck(at);
  const bool is_empty = !stuck && at.link() == link_state::rx_detect;
  if (is_empty && now() - last_trouble_ > longest_calm) told_ = 0;
  if (!stuck || now() < next_warm_reset_) return;
  tell_stuck_link(at);
  next_warm_reset_ = now() + 1_s;
  write(at.to_warm_reset());
}

void root_port::tell(trouble what) {
  constexpr std::array lines{"the contacts bounce", "cold attach, a warm reset follows",
                             "the link is inactive, a warm reset follows",
                             "the link is in compliance mode, a warm reset follows",
                             "a reset has failed, another one follows"};
  const u32 bit = 1u << static_cast<u32>(what);
  last_trouble_ = now();
  if (told_ & bit) return;
  told_ |= bit;
  host_->tell(number_, lines[static_cast<u32>(what)]);
}

void root_port::tell_stuck_link(port_status at) {
  if (at.cold_attach()) return tell(trouble::cold_attach);
  tell(at.link() == link_state::inactive ? trouble::inactive : trouble::compliance);
}

// Clears all change bits except that of the connection, which tells of a pull.
void root_port::clear_reset_changes() const {
  const port_status now = status();
  write(now.to_clear_changes() & ~field<17>::mask);
}

// Before the port is watched, the contacts may bounce.
bool root_port::pulled(port_status now) const {
  return !now.connected() || (watched_ && now.connect_changed());
}

bool root_port::lost(port_status now) const {
  if (!watched_) return false;
  if (pulled(now)) return true;
  return enabled_ && (!now.enabled() || (is_super_speed() && now.link() == link_state::inactive));
}

// The contacts of a plug bounce. After 100 ms without a change the device counts as plugged in,
// after 2 s of changes as not.
bool root_port::steady_contact() {
  constexpr duration step = 25_ms, enough = 100_ms;
  const instant deadline = now() + 2_s;
  duration steady{};
  while (steady < enough && now() < deadline && !host_->dead()) {
    sleep_for(step);
    const port_status at = status();
    if (!at.connected()) return false;
    steady = at.connect_changed() ? duration{} : steady + step;
    clear_changes();
  }
  if (steady < enough && !host_->dead()) tell(trouble::bouncing);
  return steady >= enough;
}

result<void> root_port::claim(bool hot) {
  clear_changes();
  if (hot && !steady_contact()) return fail(error::enodev);
  const irq_guard guard;
  clear_changes();
  watched_ = true;
  if (lost()) return fail(error::enodev);
  return {};
}

// Looks at the port again and again. A wake-up could not do instead: no event comes while another
// change bit is set (4.19.2), and a pull during a reset leaves one; nor does each step of a link's
// training set a bit.
bool root_port::wait_for(bool (*condition)(port_status), i64 milliseconds) const {
  const instant deadline = now() + duration{milliseconds * 1'000'000};
  while (!host_->dead()) {
    const port_status at = status();
    if (condition(at)) return true;
    if (lost(at) || now() >= deadline) return false;
    sleep_for(2_ms);
  }
  return false;
}

// A pull ends it: other tasks may wait for the device.
void root_port::rest(i64 milliseconds) const {
  wait_for([](port_status) { return false; }, milliseconds);
}

result<usb::speed> root_port::reset(bool again, device_is which) {
  enabled_ = may_be_another_ = false;
  const result<void> outcome = is_super_speed() ? reset_usb3(again, which) : reset_usb2();
  if (host_->dead() || lost()) return fail(error::enodev);
  TRY(outcome);
  enabled_ = true;
  told_ = 0;
  return speed();
}

// The reset of a USB 2 port enables the port and finds out the device's speed.
result<void> root_port::reset_usb2() {
  for (int tries = 0; tries < 5; ++tries) {
    if (tries > 0) {
      tell(trouble::failed_reset);
      rest(tries < 3 ? 10 : 200);
    }
    write(status().to_reset());
    const bool done = wait_for([](port_status at) { return at.reset_done(); }, 800);
    clear_reset_changes();
    const port_status at = status();
    if (lost(at)) return fail(error::enodev);
    if (done && at.enabled()) {
      rest(reset_recovery);
      return {};
    }
  }
  return fail(error::eio);
}

namespace {
bool trained(port_status at) { return at.enabled() && at.link() == link_state::u0; }
}  // namespace

// Writes PR or WPR. Returns whether the link has trained afterwards.
bool root_port::reset_link(u32 value) const {
  write(value);
  wait_for([](port_status p) { return p.reset_done() || p.warm_reset_done(); }, 800);
  clear_reset_changes();
  return wait_for(trained, 200);
}

bool root_port::warm_reset(port_status at, device_is which) {
  if (which == device_is::served) return reset_link(at.to_warm_reset());
  watched_ = false;
  const bool done = reset_link(at.to_warm_reset());
  may_be_another_ = status().connect_changed();
  clear_changes();
  watched_ = true;
  return done;
}

// A USB 3 link trains by itself. If it ends in another state than U0, it needs a warm reset.
result<void> root_port::reset_usb3(bool again, device_is which) {
  if (!again && wait_for(trained, 500)) return {};
  for (int tries = 0; tries < 3; ++tries) {
    port_status at = status();
    if (at.link() == link_state::inactive) {
      // The link of a device that is being pulled goes to RxDetect by itself.
      wait_for([](port_status p) { return p.link() != link_state::inactive; }, 100);
      at = status();
    }
    if (lost(at)) return fail(error::enodev);
    const bool warm = is_stuck(at) || tries > 0;
    if (tries > 0)
      tell(trouble::failed_reset);
    else if (warm)
      tell_stuck_link(at);
    if (warm ? warm_reset(at, which) : reset_link(at.to_reset())) {
      rest(reset_recovery);
      return {};
    }
  }
  return fail(error::eio);
}

}  // namespace xhci
