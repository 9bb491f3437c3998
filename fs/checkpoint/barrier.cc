#include "fs/checkpoint/barrier.h"

#include <utility>

#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "fs/checkpoint/write_set.h"

namespace checkpoint {

namespace {

constexpr int FLUSH_TRIES = 3;  // a stick that loses its cache again and again is broken

bool has_lost_slots(const volume& v) {
  for (const slot& s : v.set)
    if (s.state == slot_state::lost) return true;
  return false;
}

// The flush has proved everything that had been written by `stamp`.
void release_durable(volume& v, write_stamp stamp) {
  for (slot* s = v.set.front(); s;) {
    slot* next = slot_list::next(*s);
    if (s->state == slot_state::written && s->written <= stamp) {
      story::tell(story::event::durable, s->dev, s->block, s->number);
      free_slot(*s, v.set);  // the point at which a block is durable
    } else {
      forget_versions_before(*s, stamp);
    }
    s = next;
  }
  if (v.set.empty()) forget_files(v);
  wake_up(v.changed);
}

// The device lost its write cache: what had been written since the last flush is to be written
// again, straight from the shadows. Errors: eio when there are none (hold=0): then it is gone.
result<void> note_lost_cache(volume& v) {
  if (!shadows_enabled()) return fail(error::eio);
  for (slot& s : v.set)
    if (s.state == slot_state::written) lose_written(s);
  v.rewrite_due = true;
  return {};
}

// One flush, and what it proves. False: it failed, or the cache was lost before or meanwhile, so it
// proves nothing.
result<bool> flush_once(volume& v) {
  block_device& device = *v.device;
  const write_stamp stamp = v.last_stamp;
  device.hold();
  const result<void> flushed = device.flush();
  const u32 caches_lost = device.caches_lost();
  const bool same_plug = v.device == &device;
  device.drop();
  if (!same_plug || flushed == fail(error::enodev)) return fail(error::enodev);
  // A flush that failed counts as a lost cache, too (block_device::end_request).
  if (caches_lost != std::exchange(v.caches_lost, caches_lost)) {
    TRY(note_lost_cache(v));
    return false;
  }
  v.flushed_stamp = stamp;
  story::tell_stick(story::event::flushed, v.disk);
  release_durable(v, stamp);
  return true;
}

// Writes what is lost. Another barrier that is doing so is waited for: one batch at a time.
result<void> write_lost(volume& v) {
  TRY(write_set(v, *v.device, which_slots::lost));
  v.rewrite_due = has_lost_slots(v);
  return {};
}

bool nothing_to_prove(const volume& v) {
  return v.flushed_stamp == v.last_stamp && v.device->caches_lost() == v.caches_lost;
}

}  // namespace

result<void> barrier(dev_id dev) {
  const block_target target = TRY(resolve(dev));
  volume* v = volume_of(dev);
  if (!v) return target.device->flush();
  for (int attempt = 0; attempt < FLUSH_TRIES; ++attempt) {
    if (v->rewrite_due && !away(*v)) TRY(write_lost(*v));
    // Also when nothing was written: writes may have failed.
    if (away(*v)) return fail(error::enodev);
    if (nothing_to_prove(*v)) return {};
    if (TRY(flush_once(*v))) return {};
  }
  return fail(error::eio);
}

}  // namespace checkpoint
