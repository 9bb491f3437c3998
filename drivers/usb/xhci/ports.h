// root_port: one port of the controller's root hub, and who lives behind it.
//
// The change bits of PORTSC raise one event when the first of them is set, so they are cleared and
// read again until none is left. The event says only "look".
//
// A port is occupied from the moment its attendant is told of a device until it has taken the
// device down. While it is watched, CCS = 0, CSC = 1 (pulled, and perhaps plugged again before
// anybody looked) or a port that was enabled and no longer is: each means that the device is gone.
// CSC is cleared only when a new occupant claims the port, so that a pull is never overlooked.
#pragma once

#include "drivers/usb/xhci/registers.h"
#include "lib/result.h"

namespace xhci {

class controller;
class device;

class root_port {
 public:
  // Becomes this port of this controller, with nothing known of it.
  void begin_as(controller& host, u32 number) {
    *this = {};
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

  port_status status() const;
  void power_on() const;
  void clear_changes() const;

  // --- occupation ---
  device* occupant = nullptr;
  // What is plugged in was of no use; nothing more is done until it is pulled.
  bool given_up = false;

  // The occupant begins: waits for steady contact when `hot` (plugged in just now), clears all
  // changes and watches the port from then on. Errors: enodev when nothing is plugged in.
  result<void> claim(bool hot);
  void vacate() {
    occupant = nullptr;
    watched_ = enabled_ = false;
  }
  // Whether the occupant has gone, by what PORTSC says.
  bool lost(port_status now) const;

  // Resets the port as its protocol demands, so that the device is enabled and has the default
  // address. `again`: also a port that is enabled. Errors: enodev, eio.
  result<void> reset(bool again);

 private:
  bool steady_contact() const;
  void write(u32 value) const;
  void clear_reset_changes() const;
  bool wait_for(bool (*condition)(port_status), i64 milliseconds) const;
  result<void> reset_usb2();
  result<void> reset_usb3(bool again);

  controller* host_ = nullptr;
  u32 number_ = 0;
  u8 revision_ = 0;  // of USB: 2, 3, 0 for a port that no protocol claims
  u8 slot_type_ = 0;
  bool watched_ = false;
  bool enabled_ = false;
};

}  // namespace xhci
