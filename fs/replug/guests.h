// guests: the sticks that are plugged in and have no name (yet). The task replugd looks at each
// when it arrives; again when something has changed on which its name may depend; and, if it could
// not be read, after a pause that doubles with each try. Nothing here sleeps.
#pragma once

#include "drivers/block/block_device.h"
#include "hal/wait.h"
#include "lib/time.h"

namespace checkpoint {

constexpr duration LONGEST_PAUSE = 60_s;  // between two tries of a stick that cannot be read

// Adds a stick, with a reference to it. It is looked at as soon as possible.
void add_guest(block_device& device);
// Adds a stick that is looked at only after the next change. Does nothing when it is gone.
void keep_guest(block_device& device);
// Removes it and drops the reference, if it is there: it has got a name, or was pulled.
void remove_guest(block_device& device);

// The stick to be looked at now, the one that has waited longest; null when there is none. It stays
// a guest, and is not due again before one of the following calls.
block_device* due_guest();
// A stick was pulled, or a volume came back, was given up or released: all are due at once, as a
// twin may be alone now, or a name free.
void look_again_at_guests();
// This one could not be read: it is due after a pause, which is returned: 1 s, then twice the one
// before, at most LONGEST_PAUSE. Zero when it is no guest any more.
duration try_guest_again(block_device& device);
// When the next one is due.
instant next_due_guest();
// Woken when one is due at once.
wait_queue& guests_due();

// For a loop over the guests that sleeps: it goes by index, up to nr_guests() in each step, and may
// miss one that has come meanwhile. guest_changes() tells: it counts arrivals and departures.
u32 nr_guests();
block_device* guest_at(u32 index);
u32 guest_changes();

}  // namespace checkpoint
