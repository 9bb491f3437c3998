// replugd: sticks come and go. The one listener of media_event, and the task `replugd` that looks
// at what arrived: is it one that is missed (verify, replay), or a new one (a name)? It also keeps
// the time: the reminders, and the end of `hold`.
#pragma once

#include "fs/checkpoint/volume.h"
#include "lib/result.h"

// Starts the task and listens; tells the checkpoint whom it may ask upward. Called once at boot,
// before any driver.
void replugd_init();

namespace checkpoint {

// hold= or io_wait= was set anew: the task computes its deadlines again.
void times_changed();

// ckpt drop: gives up what is held for an absent stick; one that was refused becomes a stick of its
// own. ckpt force: writes what is held to the stick that was refused, though it was changed
// elsewhere. Both sleep. Errors: ebusy when the stick is in place, enomedium (force) when none was
// refused.
result<void> drop_volume(volume& v);
result<void> force_volume(volume& v);

}  // namespace checkpoint
