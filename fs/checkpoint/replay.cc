#include "fs/checkpoint/replay.h"

#include "fs/checkpoint/batch.h"
#include "fs/checkpoint/shadow.h"
#include "fs/checkpoint/story.h"
#include "fs/replug/report.h"
#include "hal/clock.h"
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

// The next slots that have not been written since `start`.
u32 collect(const volume& v, which_slots which, write_stamp start, slot_names& names) {
  u32 count = 0;
  for (const slot& s : v.set) {
    if (count == names.size()) break;
    const bool wanted =
        s.state == slot_state::written ? s.written <= start : which == which_slots::all;
    if (wanted) names[count++] = {s.dev, s.block};
  }
  return count;
}

// Starts their writes and leaves in `names` those that were started, in this order.
void start_writes(volume& v, slot_names& names, u32 count, batch& writes) {
  for (u32 i = 0; i < count; ++i) {
    slot* s = find_slot(names[i].dev, names[i].block);
    if (!s) continue;
    // The region is memory like any other; what was sealed must be what goes out.
    kassert(v.state != volume_state::replay || s->checksum == crc32c(s->bytes()));
    s->state = slot_state::issued;
    story::tell(story::event::queued, s->dev, s->block, s->number);
    names[writes.size()] = names[i];
    writes.start(block_command::write, medium_address(v.partitions, s->dev, s->block), s->content);
  }
}

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

result<void> write_set(volume& v, block_device& device, which_slots which) {
  const write_stamp start = v.last_stamp;
  slot_names names;
  batch writes(device);
  while (const u32 count = collect(v, which, start, names)) {
    start_writes(v, names, count, writes);
    result<void> worst{};
    writes.finish([&](u32 i, const result<void>& outcome) {
      if (!outcome && worst) worst = outcome;
      written(names[i].dev, names[i].block, outcome, writes.sent(i));
    });
    TRY(worst);
  }
  return {};
}

result<void> replay(volume& v, block_device& device) {
  set_state(v, volume_state::replay);
  story::tell_stick(story::event::replaying, v.disk);
  v.caches_lost = device.caches_lost();
  const instant begun = now();
  const u32 blocks = held_blocks(v);
  const result<void> outcome = write_and_flush(v, device);
  if (!outcome || device.gone()) {
    become_absent(v);  // another pull (rule 7)
    return outcome ? fail(error::enodev) : outcome;
  }
  // Everything is durable. From here on the stick is as if it had never been away.
  release_all(v);
  v.device = &device;
  reattach_disk(v.disk, device);
  set_state(v, volume_state::live);
  report_return(v, blocks, now() - begun);
  return {};
}

}  // namespace checkpoint
