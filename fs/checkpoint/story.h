// The story of a block: the last 4096 events of blocks and of their sticks. The debugger's command
// `why` prints those of one block (docs/debugger.md).
//
// An event costs a few stores: a record of a fixed form in a ring. No code of the kernel reads the
// ring, nothing is formatted, and an event of a block reads no clock. Nothing here sleeps.
#pragma once

#include <array>

#include "hal/clock.h"
#include "hal/task.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace story {

enum class event : u8 {
  none,
  // of a block; detail: the number of its slot, if nothing else is written here
  dirtied,    // the buffer's content changed; detail: how many bytes
  shadowed,   // it took a slot
  queued,     // its write was passed to the driver
  written,    // the device reported success
  failed,     // the write failed; detail: the error
  durable,    // a flush succeeded after the write: the slot is free
  restored,   // its buffer was filled from its slot
  forgotten,  // the block was freed
  discarded,  // the volume was given up: the slot is free, the content lost
  // of a whole stick; detail: milliseconds since boot
  flushed,
  pulled,
  verified,   // it was compared at its return; block: the verdict, see verify.h
  replaying,  // the replay begins
  replayed,   // everything is on the stick again
  given_up,
};

struct record {
  event what = event::none;
  u16 pid = 0;
  dev_id dev;
  block_nr block;
  u32 detail = 0;
};

constexpr u32 NR_RECORDS = 4096;
inline constinit std::array<record, NR_RECORDS> records{};
inline constinit u32 told = 0;  // events since boot; the next record is told % NR_RECORDS

inline void tell(event what, dev_id dev, block_nr block, u32 detail = 0) {
  records[told++ % NR_RECORDS] = {what, static_cast<u16>(current_pid()), dev, block, detail};
}

inline void tell_stick(event what, dev_id disk, u32 about = 0) {
  tell(what, disk, block_nr(about), static_cast<u32>(now().ns / 1'000'000));
}

}  // namespace story
