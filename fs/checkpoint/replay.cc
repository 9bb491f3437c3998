#include "fs/checkpoint/replay.h"

#include "fs/checkpoint/story.h"
#include "fs/checkpoint/write_set.h"
#include "hal/clock.h"

namespace checkpoint {

namespace {

// A full set of shadows is given back in one step without a sleep: either all are still needed, or
// none.
void release_all(volume& v) {
  story::tell_stick(story::event::replayed, v.disk);
  while (slot* s = v.set.front()) {
    story::tell(story::event::durable, s->dev, s->block, s->number);
    free_slot(*s, v.set);
  }
  v.flushed_stamp = v.last_stamp;
  forget_files(v);
}

result<void> write_and_flush(volume& v, block_device& device) {
  TRY(write_set(v, device, which_slots::all));
  if (v.set.empty()) return {};
  const u32 caches_lost = device.caches_lost();
  TRY(device.flush());
  return device.caches_lost() == caches_lost ? result<void>{} : fail(error::eio);
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
  // Everything is durable. From here on the stick is as if it had never been away.
  release_all(v);
  replayed(v, device);
  return replay_summary{blocks, now() - begun};
}

}  // namespace checkpoint
