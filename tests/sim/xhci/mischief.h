// mischief: a cheap stick on a bad cable in a loose port. What goes wrong, and when, is drawn from
// the seed of the world; it may never cost a byte.
#pragma once

#include "lib/types.h"

namespace sim {

class usb_machine;
struct medium;

// One of so many goes wrong; 0: none.
struct mischief {
  // Packets that are lost on the cable.
  u32 packets = 0;
  // Commands of SCSI that are answered late, twice, short, or with garbage. The next ones after it
  // are answered well: no driver is asked to bear more than one at a time.
  u32 answers = 0;
  // Plugs whose contacts bounce, whose first reset fails, or whose link does not train (USB 3).
  u32 plugs = 0;
};

// Packets and answers, from now on, of the one stick of the machine.
void begin_mischief(usb_machine& machine, medium& stick, const mischief& how);
// To be called before the stick is plugged in.
void disturb_plug(usb_machine& machine, u32 port, const mischief& how);

}  // namespace sim
