// attendant: serves one root port for as long as its controller is there. It is a task and all the
// memory that a device in the port needs, from its contexts to the class driver's buffers.
//
// It is made at boot because a stick may come back, with blocks waiting for it, when the process
// table or the memory is full. There is one for each port because a port holds at most one device:
// so the reserve is enough for all devices at once, and no device (a keyboard, a hub, one that does
// not answer, one more stick) takes what a stick needs. Nothing is allocated between the plug and
// the class driver's last command. The price is about 80 KiB for each port, stack included.
#pragma once

#include <optional>

#include "drivers/usb/xhci/device.h"

namespace xhci {

class attendant {
 public:
  // Takes the memory and starts the task. It is never given back. Never sleeps. Errors: enomem,
  // eagain (hal/task.h).
  static result<attendant*> make(controller& host, root_port& port);

  // A device has been plugged into the port: serves it from now on; `hot`: plugged in just now.
  // False while a reference to the block_device of the plug before this one is still held; when it
  // is given up, the controller is woken and looks at the port again. Never sleeps.
  bool serve(bool hot);

 private:
  attendant(controller& host, root_port& port);
  static void run(void* self);

  controller& host_;
  root_port& port_;
  device_memory memory_;
  std::optional<device> device_;  // from the plug until its last reference is given up
  wait_queue plugged_;
  std::array<char, 12> name_{};  // of the task: "usb0-12"
};

}  // namespace xhci
