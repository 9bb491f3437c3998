#include "fs/checkpoint/replay.h"

#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/write_set.h"
#include "hal/clock.h"

namespace checkpoint {

namespace {

// Writes all shadows and flushes. A flush releases together all that it proves. If it proves
// nothing, as it failed or the device has lost its cache meanwhile, all is written again. What the
// device still refuses then stays in the set. Errors: enodev (pulled).
result<void> write_and_flush(volume& v, block_device& device) {
  for (int tries = 0; tries < FLUSH_TRIES && !v.set.empty(); ++tries) {
    // An error is of one block: the others are made durable all the same.
    static_cast<void>(write_set(v, device, tries == 0 ? which_slots::all : which_slots::lost));
    if (device.gone()) return fail(error::enodev);
    if (v.set.empty() || TRY(flush_once(v, device))) return {};
  }
  return device.gone() ? fail(error::enodev) : result<void>{};
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
    return fail(error::enodev);
  }
  story::tell_stick(story::event::replayed, v.disk);
  const replay_summary summary{blocks - held_blocks(v), now() - begun};
  replayed(v, device);
  return summary;
}

}  // namespace checkpoint
