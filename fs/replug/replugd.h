// replugd: handles the arrival and the removal of sticks. It is the listener of media_event. The
// task `replugd` compares each stick that arrives with the missing ones: a missing one is verified
// and replayed, any other gets a name. The task also prints the reminders and ends `hold`.
#pragma once

#include "fs/checkpoint/volume.h"
#include "lib/result.h"

// Registers the checkpoint's listener and the media listener, and starts the task. Called once at
// boot, before any driver.
void replugd_init();

namespace checkpoint {

// `hold` or `io_wait` was changed: the task computes its deadlines again. Never sleeps.
void times_changed();

// ckpt drop: gives up the held blocks of a missing stick; a stick that was refused is announced
// again as an arrival. ckpt keep: the same, in a conflict alone. Neither sleeps. ckpt force: writes
// the held blocks to the stick that was refused, although it was changed elsewhere. Sleeps. Errors:
// ebusy when the stick is not missing; keep, force: enomedium when none was refused; force: erofs
// when it is write-protected, enodev when it is pulled.
result<void> drop_volume(volume& v);
result<void> keep_volume(volume& v);
result<void> force_volume(volume& v);

}  // namespace checkpoint
