// downstream_port: the port that a device is plugged into, as the device's enumeration sees it (USB
// 3.2, 9.1.2): a port of the root hub or one of a hub. Whichever it is, the host controller learns
// from here how to claim and reset the port, whether the device is gone, and where on the bus it
// is.
#pragma once

#include "drivers/usb/usb.h"

namespace usb {

// Where a device is (USB 3.2, 8.9; xHCI 1.2, 4.3.3): the way to it from the root hub.
struct route {
  // The number of the port at each hub on the way, four bits each, the first hub lowest. 0: the
  // device is in a root port.
  u32 string = 0;
  u8 root_port = 0;  // the number of the root port at which the way begins
};

class downstream_port {
 public:
  // The device begins: waits for steady contact if `hot` (plugged in just now), and watches the
  // port from then on. Sleeps. Errors: enodev when nothing is plugged in.
  virtual result<void> claim(bool hot) = 0;

  // Resets the port in the way of its protocol: afterwards the port is enabled, and the device has
  // the default address. A USB 3 port that is enabled already is reset only with `again`. Returns
  // the device's speed; none: one that a port of this kind cannot have. Sleeps. Errors: enodev,
  // eio.
  //
  // A warm reset may show the device as connected anew. Of a device that is `served` that cannot be
  // told from an exchange, so it counts as one; of a device about which nothing is known yet it
  // means nothing.
  enum class device_is : u8 { unknown, served };
  virtual result<speed> reset(bool again, device_is which) = 0;
  // The last reset of an unknown device may have hidden an exchange: another device may have been
  // plugged in meanwhile. So what the resets before have shown does not prove that this one is of
  // no use. Never sleeps.
  virtual bool may_be_another() const = 0;

  // Whether the device that has claimed the port is gone. Never sleeps.
  virtual bool lost() const = 0;
  // Never sleeps.
  virtual usb::route route() const = 0;
  // The device has been taken down: the port is free for another one. Never sleeps.
  virtual void vacate() = 0;

 protected:
  ~downstream_port() = default;
};

}  // namespace usb
