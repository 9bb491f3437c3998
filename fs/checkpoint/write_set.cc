#include "fs/checkpoint/write_set.h"

#include "fs/checkpoint/batch.h"
#include "fs/checkpoint/story.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

namespace {

// Slots by name: starting a write may sleep, and a slot found before may be gone after.
struct slot_name {
  dev_id dev;
  block_nr block;
};
using slot_names = std::array<slot_name, BATCH_BLOCKS>;

bool is_wanted(const slot& s, which_slots which, write_stamp start) {
  if (which == which_slots::lost) return s.state == slot_state::lost;
  return s.written <= start;
}

// The next slots that have not been written since `start`.
u32 collect(const volume& v, which_slots which, write_stamp start, slot_names& names) {
  u32 count = 0;
  for (const slot& s : v.set) {
    if (count == names.size()) break;
    if (is_wanted(s, which, start)) names[count++] = {s.dev, s.block};
  }
  return count;
}

// Starts their writes and leaves in `names` those that were started, in this order.
void start_writes(volume& v, which_slots which, write_stamp start, slot_names& names, u32 count,
                  batch& writes) {
  for (u32 i = 0; i < count; ++i) {
    slot* s = find_slot(names[i].dev, names[i].block);
    if (!s || !is_wanted(*s, which, start)) continue;  // the start of another write slept
    // The region is memory like any other; what was sealed must be what goes out.
    kassert(v.state != volume_state::replay || s->checksum == crc32c(s->bytes()));
    s->state = slot_state::rewriting;
    story::tell(story::event::queued, s->dev, s->block, s->number);
    names[writes.size()] = names[i];
    writes.start(block_command::write, medium_address(v.partitions, s->dev, s->block), s->content);
  }
}

void settle_success(volume& v, slot& s) {
  if (s.state != slot_state::rewriting) return;  // it was changed meanwhile: the cache writes it
  s.state = slot_state::written;
  s.written = v.last_stamp;
}

// `sent`: the device may have seen the write, which leaves the sectors torn, also when the cache
// has written the block meanwhile. Otherwise all is as it was.
void settle_failure(volume& v, slot& s, bool sent) {
  if (sent && (s.state == slot_state::rewriting || s.state == slot_state::written)) {
    lose_written(s);
    v.rewrite_due = true;
  } else if (s.state == slot_state::rewriting) {
    s.state = s.torn                       ? slot_state::lost
              : s.written == write_stamp{} ? slot_state::held
                                           : slot_state::written;
  }
}

void settle(volume& v, const slot_name& name, result<void> outcome, bool sent) {
  const u32 detail = outcome ? 0 : static_cast<u32>(outcome.error());
  story::tell(outcome ? story::event::written : story::event::failed, name.dev, name.block, detail);
  if (outcome) ++v.last_stamp;
  slot* s = find_slot(name.dev, name.block);
  if (s && outcome) settle_success(v, *s);
  if (s && !outcome) settle_failure(v, *s, sent);
}

}  // namespace

result<void> write_set(volume& v, block_device& device, which_slots which) {
  const write_stamp start = v.last_stamp;
  slot_names names;
  batch writes(device);
  while (const u32 count = collect(v, which, start, names)) {
    start_writes(v, which, start, names, count, writes);
    result<void> worst{};
    writes.finish([&](u32 i, const result<void>& outcome) {
      if (!outcome && worst) worst = outcome;
      settle(v, names[i], outcome, writes.sent(i));
    });
    TRY(worst);
  }
  return {};
}

}  // namespace checkpoint
