#include "fs/checkpoint/barrier.h"

#include <utility>

#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/write_set.h"

namespace checkpoint {

namespace {

bool has_lost_slots(const volume& v) {
  for (const slot& s : v.set)
    if (s.state == slot_state::lost) return true;
  return false;
}

// A flush has made all writes of this plug up to `stamp` durable: their shadows are freed in one
// step, without a sleep, and older versions are forgotten.
void release_durable(volume& v, write_stamp stamp) {
  for (slot* s = v.set.front(); s;) {
    slot* next = slot_list::next(*s);
    if (s->state == slot_state::written && s->written > v.plugged_stamp && s->written <= stamp) {
      story::tell(story::event::durable, s->dev, s->block, s->number);
      learn_durable(v, *s);
      free_slot(*s, v.set);  // the point at which a block is durable
    } else {
      forget_versions_before(*s, v.plugged_stamp, stamp);
    }
    s = next;
  }
  if (v.set.empty()) forget_files(v);
  wake_up(v.changed);
}

// Without shadows no later flush finds out what is lost: each file of the disk learns of it.
void tell_all_files(const volume& v) {
  for (u8 n = 0; n < MINORS_PER_DISK; ++n) {
    const dev_id dev(v.disk.major(), static_cast<u8>(v.disk.minor() + n));
    if (v.partitions[n].sectors > 0) upward().tell_refusal(dev, block_nr{}, ino_nr{});
  }
}

// The device lost its write cache: blocks written since the last flush become lost, so they are
// written again from the region. Does nothing when another barrier has noted the same loss. Errors:
// eio without shadows (hold=0): these blocks may be lost for good.
result<void> note_lost_cache(volume& v, u32 caches_lost) {
  const bool noted = std::exchange(v.caches_lost, caches_lost) == caches_lost;
  if (!shadows_enabled() && !noted) tell_all_files(v);
  if (!shadows_enabled()) return fail(error::eio);
  if (noted) return {};
  for (slot& s : v.set) {
    lose_versions_after(s, v.flushed_stamp);
    if (s.state == slot_state::written) lose_written(s);
  }
  v.rewrite_due = true;
  return {};
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

result<void> write_and_flush(volume& v) {
  for (int attempt = 0; attempt < FLUSH_TRIES; ++attempt) {
    // A block that the stick refuses is told at the end: the others are made durable before.
    const result<void> rewritten = v.rewrite_due && !away(v) ? write_lost(v) : result<void>{};
    // write_lost has slept: the volume may have been given up since, and has no device then.
    if (v.state == volume_state::dead) return fail(error::eio);
    // Also when nothing was written since the last flush: the pull may have failed a write.
    if (away(v)) return fail(error::enodev);
    if (nothing_to_prove(v)) return rewritten;
    if (TRY(flush_once(v, *v.device))) return rewritten;
  }
  return fail(error::eio);
}

}  // namespace

result<bool> flush_once(volume& v, block_device& device) {
  const device_reference over_the_sleep(device);
  const write_stamp stamp = v.last_stamp;
  const u32 caches_lost_before = v.caches_lost;
  const result<void> flushed = device.flush();
  if (device.gone() || flushed == fail(error::enodev)) return fail(error::enodev);
  // A flush that failed counts as a lost cache, too (block_device::end_request).
  if (device.caches_lost() != caches_lost_before) {
    TRY(note_lost_cache(v, device.caches_lost()));
    return false;
  }
  v.flushed_stamp = stamp;
  story::tell_stick(story::event::flushed, v.disk);
  release_durable(v, stamp);
  return true;
}

result<void> barrier(dev_id dev) {
  const block_target target = TRY(resolve(dev));
  volume* v = volume_of(dev);
  if (!v) return target.device->flush();
  const result<void> outcome = write_and_flush(*v);
  judge_health(*v, outcome);
  return outcome;
}

}  // namespace checkpoint
