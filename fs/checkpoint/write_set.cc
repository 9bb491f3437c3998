#include "fs/checkpoint/write_set.h"

#include "fs/checkpoint/batch.h"
#include "fs/checkpoint/story.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

namespace {

// Slots are remembered by device and block: starting a write may sleep, and a slot that was found
// before the sleep may be free afterwards.
struct slot_name {
  dev_id dev;
  block_nr block;
};
using slot_names = std::array<slot_name, BATCH_BLOCKS>;

// Whether write_set still has to write the slot: it is lost, or (all) not written since `start`.
bool is_wanted(const slot& s, which_slots which, write_stamp start) {
  if (which == which_slots::lost) return s.state == slot_state::lost;
  return s.written <= start;
}

// Collects the names of the next slots to write, at most a batch; returns how many. The first
// `refused` ones are passed over: they stand in front of those that were not tried yet.
u32 collect(const volume& v, which_slots which, write_stamp start, u32 refused, slot_names& names) {
  u32 count = 0;
  for (const slot& s : v.set) {
    if (count == names.size()) break;
    if (!is_wanted(s, which, start)) continue;
    if (refused > 0)
      --refused;
    else
      names[count++] = {s.dev, s.block};
  }
  return count;
}

// Starts the writes of the named slots. Afterwards `names` begins with those that were started, in
// the order of the batch.
void start_writes(volume& v, which_slots which, write_stamp start, slot_names& names, u32 count,
                  batch& writes) {
  for (u32 i = 0; i < count; ++i) {
    slot* s = find_slot(names[i].dev, names[i].block);
    if (!s || !is_wanted(*s, which, start))
      continue;  // gone or written during the sleep of another start
    // At a replay the content must still be the one that was sealed: the region may have been
    // damaged.
    kassert(v.state != volume_state::replay || s->checksum == crc32c(s->bytes()));
    s->state = slot_state::rewriting;
    write_begins(v, *s);
    story::tell(story::event::queued, s->dev, s->block, s->number);
    names[writes.size()] = names[i];
    writes.start(block_command::write, address_of(v, *s), s->content);
  }
}

// If a loss of the device's cache was noted since the write was started (`doubted`), nothing tells
// whether the write came before it: the slot is lost once more.
void settle_success(volume& v, slot& s, bool doubted) {
  if (s.state != slot_state::rewriting) return;  // changed meanwhile: the cache writes it
  if (doubted) return lose_written(s);
  s.state = slot_state::written;
  s.written = v.last_stamp;
  s.refused = false;
}

// A write failed. If it was `sent`, the device may have executed it in part: the sectors are torn,
// also when the cache has written the block meanwhile, and the slot is lost. If it was not sent,
// the slot is lost too, as it still has to be written, but the medium is as before. A slot that was
// changed meanwhile (held, issued) is written by the cache anyway.
void settle_failure(volume& v, slot& s, bool sent, error why) {
  if (sent && (s.state == slot_state::rewriting || s.state == slot_state::written)) {
    lose_written(s);
    s.refused = why != error::enodev;
  } else if (s.state == slot_state::rewriting) {
    s.state = slot_state::lost;
  } else {
    return;
  }
  v.rewrite_due = true;
}

// The block was changed while the region was writing it, and the cache may have written it since;
// also before the region, whose write waits for a request. So of these two writes the later one may
// be the region's, and what the device was sent then is not known.
void settle_overtaken(slot& s, bool sent) {
  if (s.state != slot_state::rewriting && sent) tear(s);
}

// Sets the state of a slot after its write, if it still exists.
void settle(volume& v, const slot_name& name, result<void> outcome, bool sent, bool doubted) {
  const u32 detail = outcome ? 0 : static_cast<u32>(outcome.error());
  story::tell(outcome ? story::event::written : story::event::failed, name.dev, name.block, detail);
  if (outcome) ++v.last_stamp;
  slot* s = find_slot(name.dev, name.block);
  if (!s) return;
  settle_overtaken(*s, sent);
  if (outcome)
    settle_success(v, *s, doubted);
  else
    settle_failure(v, *s, sent, outcome.error());
}

// Writes batch after batch, until all have been tried. Errors: the first one; the slots behind it
// are written all the same.
result<void> write_batches(volume& v, which_slots which, batch& writes) {
  const write_stamp start = v.last_stamp;
  slot_names names;
  u32 refused = 0;
  result<void> first{};
  while (const u32 count = collect(v, which, start, refused, names)) {
    const u32 caches_lost = v.caches_lost;
    start_writes(v, which, start, names, count, writes);
    writes.finish([&](u32 i, const result<void>& outcome) {
      if (!outcome && ++refused == 1) first = outcome;
      settle(v, names[i], outcome, writes.sent(i), v.caches_lost != caches_lost);
    });
  }
  return first;
}

}  // namespace

result<void> write_set(volume& v, block_device& device, which_slots which) {
  batch writes(device);
  ++v.writing_slots;
  const result<void> outcome = write_batches(v, which, writes);
  --v.writing_slots;
  wake_up(v.changed);
  return outcome;
}

}  // namespace checkpoint
