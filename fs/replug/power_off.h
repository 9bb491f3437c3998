// power_off: switching the machine off loses no block that waits for a stick, unless the user says
// so. kernel/sys_reboot.cc asks in this order:
//
//   1. ready_for_power_off, while all programs still run: a refusal changes nothing.
//   2. The programs are ended.
//   3. write_and_unmount_all. It may still refuse, because a stick can be pulled at any moment.
//
// By force (poweroff -f) step 1 is left out, and step 3 is give_up_and_unmount_all.
//
// All volumes count, mounted or not: raw writes to /dev/sda wait for their stick too. A stick that
// is being compared or replayed is waited for: that ends by success, by an error or by a pull.
#pragma once

#include "lib/result.h"

namespace checkpoint {

// Writes what can be written, and tells whether switching off would lose anything: ebusy, when
// blocks wait for a stick that is away or was changed elsewhere, or when a stick refuses them. The
// console says then which stick it is, and the names of the files. Sleeps, interruptibly; eintr
// also when a signal came during the writing.
result<void> ready_for_power_off();

// The same; then unmounts every file system but the root, and asks again. After ebusy some may be
// unmounted. Sleeps.
result<void> write_and_unmount_all();

// Writes and unmounts what can be. All other blocks are given up: the console says LOST and names
// their files. Sleeps.
void give_up_and_unmount_all();

}  // namespace checkpoint
