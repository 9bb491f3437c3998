#include "fs/checkpoint/replay.h"

#include "fs/checkpoint/story.h"
#include "fs/checkpoint/write_set.h"
#include "hal/clock.h"

namespace checkpoint {

namespace {

// Frees all shadows in one step, without a sleep: so at every moment either all are held or none.
void release_all(volume& v) {
  story::tell_stick(story::event::replayed, v.disk);
  while (slot* s = v.set.front()) {
    story::tell(story::event::durable, s->dev, s->block, s->number);
    free_slot(*s, v.set);
  }
  v.flushed_stamp = v.last_stamp;
  forget_files(v);
}

constexpr int REPLAY_TRIES = 3;  // after that many flushes without proof the stick counts as broken

// Writes all shadows and flushes. If the device may have lost its cache at any moment from the
// first write to the end of the flush, all is written again.
result<void> write_and_flush(volume& v, block_device& device) {
  for (int tries = 0; tries < REPLAY_TRIES; ++tries) {
    const u32 caches_lost = device.caches_lost();
    TRY(write_set(v, device, which_slots::all));
    if (v.set.empty()) return {};
    const result<void> flushed = device.flush();
    if (device.gone()) return fail(error::enodev);
    if (flushed && device.caches_lost() == caches_lost) return {};
  }
  return fail(error::eio);
}

}  // namespace

result<replay_summary> replay(volume& v, block_device& device) {
  begin_replay(v, device);
  story::tell_stick(story::event::replaying, v.disk);
  const instant begun = now();
  const u32 blocks = held_blocks(v);
  const result<void> outcome = write_and_flush(v, device);
  if (!outcome || device.gone()) {
    replay_failed(v);  // a pull is only another pull (rule 7)
    return fail(outcome ? error::enodev : outcome.error());
  }
  // Everything is durable. From here on the volume is as before the pull.
  release_all(v);
  replayed(v, device);
  return replay_summary{blocks, now() - begun};
}

}  // namespace checkpoint
