// The messages of the console about sticks. Nothing here sleeps.
#pragma once

#include <array>

#include "fs/checkpoint/volume.h"

namespace checkpoint {

// "Replug …": the stick is missing; how many blocks are held for it, and how long.
void report_missed(const volume& v);
// The stick is back: `blocks` blocks were written in the time `took`. If the volume is degraded,
// the files of the blocks that are still held are named.
void report_return(const volume& v, u32 blocks, duration took);
// The volume has become degraded: how many blocks wait for another try, and the files they belong
// to; or it is live again.
void report_health(const volume& v);
// The stick is plugged in and cannot be taken back: why, and how many blocks wait for it.
void report_hindrance(const volume& v);
// The set is given up: how many blocks, and each file that loses data. Call it before the set is
// freed.
void report_loss(const volume& v);
// The machine is not switched off because of this volume: why, and the files that would lose data,
// by name.
void report_waiting(const volume& v);
// The missing stick is back, but was changed elsewhere: it is refused. The files whose blocks are
// held are named.
void report_conflict(const volume& v, const block_device& device);
// `device` resembles the missing stick, but is another one; `difference` completes "its …".
void report_stranger(const volume& v, const block_device& device, const char* difference);

// `"BACKUP" (serial AB12)`: product name ("USB stick" if it has none) and serial number, if it has
// one.
std::array<char, 112> describe(const media_identity& identity);
// Seconds until the volume is given up, rounded up; -1 while it has no deadline (expires_at).
i64 seconds_left(const volume& v);

}  // namespace checkpoint
