// root_port: one port of the controller's root hub, and the device in it. What enumerates the
// device knows it only as a usb::downstream_port.
//
// An event is sent when the first change bit of PORTSC is set, and no other until all change bits
// are clear. So they are cleared and read again until none is left. The event tells only that the
// port must be looked at.
//
// A port is occupied from the moment its attendant is called for a device until the attendant has
// taken the device down. While the port is watched, each of these means that the device is gone:
// CCS = 0; CSC = 1 (it was pulled, and something may have been plugged in since); a port that was
// enabled and is not enabled any more. CSC stays set until the occupant has been taken down, so no
// pull is overlooked. The one exception is a warm reset before the device is known (reset). While
// the port has no occupant, each look at it clears CSC.
#pragma once

#include <optional>

#include "drivers/usb/port.h"
#include "drivers/usb/xhci/port_history.h"
#include "drivers/usb/xhci/registers.h"
#include "lib/result.h"
#include "lib/time.h"

namespace xhci {

class device;

// What a port needs of its controller. Nothing here sleeps.
class port_host {
 public:
  virtual u32 read_operational(u32 offset) const = 0;
  virtual void write_operational(u32 offset, u32 value) const = 0;
  virtual bool dead() const = 0;
  // Prints what is wrong with the port of that number.
  virtual void tell(u32 port, const char* trouble) const = 0;

 protected:
  ~port_host() = default;
};

// What the controller keeps of a port and its device.
struct port_record {
  port_history history;
  device* occupant = nullptr;
  // When the occupant was pulled, as PORTSC has shown while the controller was alive.
  std::optional<instant> pulled_at;
  // The device in the port is of no use: nothing is done with it until it is pulled.
  bool given_up = false;
  // Since when it has been there, if that is still to be told to the history.
  std::optional<instant> visit;
  // Since the controller was started or a device was pulled, one was connected here, without a
  // change.
  bool seen_connected = false;
  // It is of no use only because all slots of the controller are taken: until one is free.
  bool wants_slot = false;
};

class root_port final : public usb::downstream_port, public port_record {
 public:
  // Makes this object a port of that controller, about which nothing is known yet but its history.
  void begin_as(const port_host& host, u32 number) {
    const port_history kept = history;
    *this = {};
    history = kept;
    host_ = &host;
    number_ = number;
  }
  void set_protocol(u8 revision, u8 slot_type) {
    revision_ = revision;
    slot_type_ = slot_type;
  }
  u32 number() const { return number_; }
  u8 slot_type() const { return slot_type_; }
  bool supported() const { return revision_ == 2 || revision_ == 3; }
  bool is_super_speed() const { return revision_ == 3; }

  // While the controller is dead: nothing is connected.
  port_status status() const;
  // Of the device in the port: none when there is none, or one that a port of this kind cannot
  // have. On a port of USB 3 every speed is SuperSpeed or faster, also one that the controller
  // defines for itself (7.2.2.1.1).
  usb::speed speed() const;
  void power_on() const;
  void clear_changes() const;
  // The same for an occupied port: leaves the changes that its occupant waits for or may be lost
  // by.
  void clear_minor_changes(port_status now) const;

  // Over-current switches a port off (4.19.4). A port that has lost its power counts as switched
  // off for that reason: the change bit that tells so may be cleared already. A port that has not
  // had power yet is given it at each look. When over-current is over, the port gets its power
  // again after a pause, which doubles as long as the trouble comes back within a minute. Never
  // sleeps. Returns what is to be told.
  enum class power_news : u8 { none, off, on };
  power_news tend_power(port_status now);
  // A link that has not trained shows no device (CCS = 0): Compliance, Cold Attach, Inactive. A
  // warm reset begins anew, at most once a second. Only for a port that shows no device and has no
  // occupant. Never sleeps.
  void tend_link(port_status now);

  // --- usb::downstream_port ---
  // Clears all change bits, too.
  result<void> claim(bool hot) override;
  // A warm reset may set CSC: that is how it shows the device as connected anew.
  result<usb::speed> reset(bool again, device_is which) override;
  bool may_be_another() const override { return may_be_another_; }
  bool lost() const override { return lost(status()); }
  usb::route route() const override { return {.root_port = static_cast<u8>(number_)}; }
  void vacate() override {
    occupant = nullptr;
    pulled_at.reset();
    watched_ = enabled_ = false;
  }

  // Whether the occupant was pulled, judged by PORTSC.
  bool pulled(port_status now) const;
  // Whether the occupant has gone: it was pulled, or its link has failed.
  bool lost(port_status now) const;

 private:
  bool steady_contact();
  void write(u32 value) const;
  void clear_reset_changes() const;
  // Each is told once, until a reset has succeeded, or the port is empty after some calm.
  enum class trouble : u8 { bouncing, cold_attach, inactive, compliance, failed_reset };
  void tell(trouble what);
  void tell_stuck_link(port_status at);
  bool wait_for(bool (*condition)(port_status), i64 milliseconds) const;
  void rest(i64 milliseconds) const;
  result<void> reset_usb2();
  result<void> reset_usb3(bool again, device_is which);
  bool warm_reset(port_status at, device_is which);
  bool reset_link(u32 value) const;

  const port_host* host_ = nullptr;
  u32 number_ = 0;
  u8 revision_ = 0;  // of USB: 2, 3, 0 for a port that no protocol claims
  u8 slot_type_ = 0;
  bool watched_ = false;
  bool enabled_ = false;
  bool may_be_another_ = false;
  u32 told_ = 0;  // a bit for each trouble
  instant last_trouble_{};
  // Within one trouble; the contacts bounce for 2 s before they are given up.
  static constexpr duration longest_calm = 3_s;

  static constexpr duration shortest_pause = 1_s, longest_pause = 64_s;
  bool had_power_ = false;
  bool over_current_ = false;
  instant last_over_current_{}, power_back_{};
  duration pause_ = shortest_pause;
  instant next_warm_reset_{};
};

}  // namespace xhci
