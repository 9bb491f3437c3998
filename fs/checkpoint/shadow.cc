#include "fs/checkpoint/shadow.h"

#include <cstring>
#include <utility>

#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

namespace {

constexpr int FLUSH_TRIES = 3;  // a stick that loses its cache again and again is broken

// While the set is compared or written it stays as it is. Bounded: a replay ends by success, by an
// error, or by the next pull.
void wait_while_replayed(volume& v) {
  while (being_replayed(v)) sleep_on(v.changed);
}

// The slot of the block that is being changed, from before_change until changed. A fresh one holds
// nothing yet.
constinit slot* prepared = nullptr;
constinit bool prepared_is_fresh = false;

slot& first_shadow(operation& op, volume& v, block_nr block,
                   std::span<const byte, BLOCK_SIZE> content, bool known) {
  op.use_slot();
  slot& s = take_slot(op.dev(), block, v.set);
  story::tell(story::event::shadowed, op.dev(), block, s.number);
  s.base_known = known;
  if (known) push_version(s, content, write_stamp{});
  return s;
}

// The content that is about to be changed may stand on the medium: remember it.
void remember_content(slot& s) {
  if (s.state == slot_state::issued) s.torn = true;  // it is on its way there and changes under way
  if (s.state == slot_state::written && !s.torn) push_version(s, s.bytes(), s.written);
  s.written = {};
  s.state = slot_state::held;
}

// A failed write leaves the sectors torn; one that never left the queue leaves all as it was.
void settle_slot(volume& v, slot& s, result<void> outcome, bool sent) {
  if (s.state != slot_state::issued) return;  // it was changed meanwhile
  if (outcome) {
    s.state = slot_state::written;
    s.written = v.last_stamp;
  } else if (sent) {
    s.state = slot_state::held;
    s.torn = true;
  } else {
    // An earlier write of the same content may have completed.
    s.state = s.written == write_stamp{} ? slot_state::held : slot_state::written;
  }
}

bool needs_flush(const slot& s) {
  return s.nr_versions == NR_VERSIONS && s.state == slot_state::written && !s.torn;
}

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

// The device lost its write cache: what had been written since the last flush is written again,
// straight from the shadows.
result<void> rewrite_unflushed(volume& v) {
  for (slot& s : v.set)
    if (s.state == slot_state::written) s.torn = true;
  return write_set(v, *v.device, which_slots::unflushed);
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
  // A flush that failed counts as a lost cache, too.
  if (caches_lost != std::exchange(v.caches_lost, caches_lost)) return false;
  v.flushed_stamp = stamp;
  story::tell_stick(story::event::flushed, v.disk);
  release_durable(v, stamp);
  return true;
}

}  // namespace

bool before_change(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content,
                   bool known) {
  volume* v = op.shadowed();
  if (!v) return true;
  if (being_replayed(*v) || v->state == volume_state::dead) return false;
  prepared = find_slot(op.dev(), block);
  prepared_is_fresh = !prepared;
  if (prepared_is_fresh)
    prepared = &first_shadow(op, *v, block, content, known);
  else if (needs_flush(*prepared))
    return false;
  else
    remember_content(*prepared);
  return true;
}

result<void> wait_to_change(operation& op, block_nr block) {
  volume& v = *op.shadowed();
  wait_while_replayed(v);
  if (v.state == volume_state::dead) return fail(error::eio);
  const slot* s = find_slot(op.dev(), block);
  if (!s || !needs_flush(*s)) return {};
  const result<void> flushed = barrier(op.dev());
  // Pulled: the replay will make room for another version.
  if (!flushed && flushed.error() == error::enodev) return wait_live(op.dev());
  return flushed;
}

bool changed(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content, u32 offset,
             u32 length) {
  const volume* v = op.shadowed();
  if (!v) return true;
  slot& s = *prepared;
  kassert(s.block == block && s.dev == op.dev() && s.state == slot_state::held);
  if (prepared_is_fresh) offset = 0, length = BLOCK_SIZE;  // what was not changed is new to it too
  std::memcpy(s.content + offset, content.data() + offset, length);
  s.owner = op.owner();
  if (!away(*v)) return true;
  s.checksum = crc32c(s.bytes());
  return false;
}

bool restore(dev_id dev, block_nr block, std::span<byte, BLOCK_SIZE> to) {
  const slot* s = find_slot(dev, block);
  if (!s) return false;
  story::tell(story::event::restored, dev, block, s->number);
  std::memcpy(to.data(), s->content, BLOCK_SIZE);
  return true;
}

void issued(dev_id dev, block_nr block) {
  story::tell(story::event::queued, dev, block);
  if (slot* s = find_slot(dev, block)) s->state = slot_state::issued;
}

void written(dev_id dev, block_nr block, result<void> outcome, bool sent) {
  if (outcome)
    story::tell(story::event::written, dev, block);
  else
    story::tell(story::event::failed, dev, block, static_cast<u32>(outcome.error()));
  volume* v = volume_of(dev);
  if (!v) return;
  if (outcome) ++v->last_stamp;
  if (slot* s = find_slot(dev, block)) settle_slot(*v, *s, outcome, sent);
}

void forget(dev_id dev, block_nr block) {
  story::tell(story::event::forgotten, dev, block);
  volume* v = volume_of(dev);
  if (!v) return;
  wait_while_replayed(*v);
  if (slot* s = find_slot(dev, block)) free_slot(*s, v->set);
}

bool shadowed(dev_id dev, block_nr block) { return find_slot(dev, block) != nullptr; }

result<void> barrier(dev_id dev) {
  const block_target target = TRY(resolve(dev));
  volume* v = volume_of(dev);
  if (!v) return target.device->flush();
  for (int attempt = 0; attempt < FLUSH_TRIES; ++attempt) {
    if (away(*v))
      return fail(error::enodev);  // also when nothing was written: writes may have failed
    if (v->flushed_stamp == v->last_stamp && v->device->caches_lost() == v->caches_lost) return {};
    if (TRY(flush_once(*v))) return {};
    if (!enabled()) return fail(error::eio);  // without shadows: what was lost stays lost
    TRY(rewrite_unflushed(*v));
  }
  return fail(error::eio);
}

}  // namespace checkpoint
