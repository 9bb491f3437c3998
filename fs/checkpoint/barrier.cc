#include "fs/checkpoint/barrier.h"

#include <utility>

#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "fs/checkpoint/write_set.h"

namespace checkpoint {

namespace {

constexpr int FLUSH_TRIES = 3;  // after that many flushes without proof the stick counts as broken

bool has_lost_slots(const volume& v) {
  for (const slot& s : v.set)
    if (s.state == slot_state::lost) return true;
  return false;
}

// A flush has made all writes up to `stamp` durable: their shadows are freed, older versions
// forgotten.
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

// The device lost its write cache: blocks written since the last flush become lost, so they are
// written again from the region. Does nothing when another barrier has noted the same loss. Errors:
// eio without shadows (hold=0): these blocks may be lost for good.
result<void> note_lost_cache(volume& v, u32 caches_lost) {
  const bool noted = std::exchange(v.caches_lost, caches_lost) == caches_lost;
  if (!shadows_enabled()) return fail(error::eio);
  if (noted) return {};
  for (slot& s : v.set) {
    lose_versions_after(s, v.flushed_stamp);
    if (s.state == slot_state::written) lose_written(s);
  }
  v.rewrite_due = true;
  return {};
}

// Flushes once. True: the writes that had completed before are durable. False: the flush failed, or
// the device lost its cache before or during it, so nothing is proved. Errors: enodev (pulled), eio
// (lost, and no shadow was taken).
result<bool> flush_once(volume& v) {
  block_device& device = *v.device;
  const write_stamp stamp = v.last_stamp;
  const u32 caches_lost_before = v.caches_lost;
  device.hold();
  const result<void> flushed = device.flush();
  const u32 caches_lost = device.caches_lost();
  const bool same_plug = v.device == &device;
  device.drop();
  if (!same_plug || flushed == fail(error::enodev)) return fail(error::enodev);
  // A flush that failed counts as a lost cache, too (block_device::end_request).
  if (caches_lost != caches_lost_before) {
    TRY(note_lost_cache(v, caches_lost));
    return false;
  }
  v.flushed_stamp = stamp;
  story::tell_stick(story::event::flushed, v.disk);
  release_durable(v, stamp);
  return true;
}

// Writes the lost slots. If another barrier is writing them, waits for it: a device has one batch.
result<void> write_lost(volume& v) {
  TRY(write_set(v, *v.device, which_slots::lost));
  v.rewrite_due = has_lost_slots(v);
  return {};
}

// No write has completed since the last flush, and the device has kept its cache.
bool nothing_to_prove(const volume& v) {
  return v.flushed_stamp == v.last_stamp && v.device->caches_lost() == v.caches_lost;
}

}  // namespace

result<void> barrier(dev_id dev) {
  const block_target target = TRY(resolve(dev));
  volume* v = volume_of(dev);
  if (!v) return target.device->flush();
  for (int attempt = 0; attempt < FLUSH_TRIES; ++attempt) {
    // A block that the stick refuses is told at the end: the others are made durable before.
    const result<void> rewritten = v->rewrite_due && !away(*v) ? write_lost(*v) : result<void>{};
    // write_lost has slept: the volume may have been given up since, and has no device then.
    if (v->state == volume_state::dead) return fail(error::eio);
    // Also when nothing was written since the last flush: the pull may have failed a write.
    if (away(*v)) return fail(error::enodev);
    if (nothing_to_prove(*v)) return rewritten;
    if (TRY(flush_once(*v))) return rewritten;
  }
  return fail(error::eio);
}

}  // namespace checkpoint
