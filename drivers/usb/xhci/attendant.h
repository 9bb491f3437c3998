// attendant: serves one root port for as long as its controller exists. It has a task and all the
// memory that a device in the port needs, from the contexts to the class driver's buffers.
//
// It is made at boot, because a stick for which blocks are held may come back when the process
// table or the memory is full. A port holds at most one device, so one attendant for each port is
// enough for all devices, and no device (a keyboard, a hub, a device that does not answer, one more
// stick) takes what a stick needs. Nothing is allocated between the plug and the class driver's
// last command. An attendant costs about 80 KiB, stack included.
#pragma once

#include <optional>

#include "drivers/usb/xhci/device.h"

namespace xhci {

class attendant {
 public:
  // Takes the memory and starts the task; neither is ever given back. Never sleeps. Errors: enomem,
  // eagain (hal/task.h).
  static result<attendant*> make(controller& host, root_port& port);

  // Begins to serve the device that is plugged into the port. `hot`: it was plugged in just now.
  // False while a reference to the block_device of the plug before is still held; when that is
  // dropped, the controller is woken and looks at the port again. Never sleeps.
  bool serve(bool hot);
  // The device in the port is not served: the list of devices shows that there is one, and why it
  // is not used. Nothing else is known of it: it need not be the device that was there before.
  // Never sleeps.
  void set_aside(const char* why);
  // Nothing is plugged into the port any more: the list of devices shows none there. Never sleeps.
  void forget() { usb::forget(unused_); }

 private:
  attendant(controller& host, root_port& port);
  static void run(void* self);

  controller& host_;
  root_port& port_;
  device_memory memory_;
  std::optional<device> device_;  // from the plug until its last reference is dropped
  usb::unused_device unused_;     // a device that is not used, in the list
  wait_queue plugged_;
  std::array<char, 12> name_{};  // of the task: "usb0-12"
};

}  // namespace xhci
