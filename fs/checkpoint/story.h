// The story of a block: the last few thousand things that happened to blocks and to their sticks,
// for the debugger, whose command `why` tells one block's part of it (docs/debugger.md).
//
// It costs a handful of stores an event: records of a fixed form in a ring that nobody in the
// kernel reads, no formatting, no clock on the way of a write.
#pragma once

#include <array>

#include "hal/clock.h"
#include "hal/task.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace story {

enum class event : u8 {
  none,
  // of a block; detail: the number of its slot, or what is said here
  dirtied,    // the buffer's content changed; detail: how many bytes
  shadowed,   // it took a slot
  queued,     // handed to the driver
  written,    // the device said so
  failed,     // the device did not; detail: the error
  durable,    // a flush proved it: the slot is free
  restored,   // its buffer was filled from its slot
  forgotten,  // the block was freed: its content is nobody's
  discarded,  // the volume was given up
  // of a whole stick; detail: milliseconds since boot
  flushed,
  pulled,
  verified,   // it is back; block: the verdict, see verify.h
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
inline constinit u32 told = 0;  // how many ever; the next goes to told % NR_RECORDS

inline void tell(event what, dev_id dev, block_nr block, u32 detail = 0) {
  records[told++ % NR_RECORDS] = {what, static_cast<u16>(current_pid()), dev, block, detail};
}

inline void tell_stick(event what, dev_id disk, u32 about = 0) {
  tell(what, disk, block_nr(about), static_cast<u32>(now().ns / 1'000'000));
}

}  // namespace story
