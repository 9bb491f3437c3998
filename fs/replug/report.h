// What people are told on the console, as it happens.
#pragma once

#include <array>

#include "fs/checkpoint/volume.h"

namespace checkpoint {

// "Replug …": the stick is missed. Says how many blocks wait for it and how long they are kept.
void report_missed(const volume& v);
void report_return(const volume& v, u32 blocks, duration took);
// The set is given up: the files that lose data, by name.
void report_loss(const volume& v);
// The machine is not switched off because of this volume: why, and the files that would lose data,
// by name.
void report_waiting(const volume& v);
// The missed stick is back, but was changed elsewhere: it is refused.
void report_conflict(const volume& v, const block_device& device);
// A stick that looks like the missed one is another one; `difference` ends "its …".
void report_stranger(const volume& v, const block_device& device, const char* difference);

// `"BACKUP" (serial AB12)`: what stands on the stick, as far as it says.
std::array<char, 112> describe(const media_identity& identity);
// Until the volume is given up, rounded up; -1 while nothing waits for it.
i64 seconds_left(const volume& v);

}  // namespace checkpoint
