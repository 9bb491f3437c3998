#include "fs/checkpoint/checkpoint.h"

#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/tombstone.h"
#include "fs/checkpoint/volume.h"
#include "hal/panic.h"

namespace checkpoint {

void init(u32 slots) {
  enable_shadows(current_settings().hold > duration{});
  make_region(slots);
}

bool can_be_pulled(dev_id dev) { return volume_of(dev) != nullptr; }

bool absent(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && away(*v);
}

bool dead(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && v->state == volume_state::dead;
}

result<void> settle(dev_id dev, bool force) {
  volume* v = volume_of(dev);
  if (!v) return {};
  // If the device is gone and pulled() was not called yet, waits for that call, and for a replay's
  // end.
  while (being_replayed(*v) || (has_device(*v) && away(*v))) sleep_on(v->changed);
  if (force && away(*v) && has_unfinished_work(*v)) dropped(*v);
  while (away(*v) && has_unfinished_work(*v))
    if (interruptible_sleep_on(v->changed) == wake_reason::signalled) return fail(error::eintr);
  if (v->state == volume_state::dead) return fail(error::eio);
  return {};
}

bool begin_digest(metadata_digest& digest, dev_id dev, block_nr first, u32 blocks) {
  volume* v = volume_of(dev);
  if (!v || !shadows_enabled()) return false;
  digest.begin(v->digests, dev, first, blocks, medium_address(v->partitions, dev, first));
  // What another name of the medium has written, and is not durable yet.
  for (const slot& s : v->set) digest.write_begins(s.dev, address_of(*v, s));
  return true;
}

void learn_read(metadata_digest& digest, u32 index, std::span<const byte, BLOCK_SIZE> content) {
  if (absent(digest.dev()) || find_slot(digest.dev(), digest.block(index))) return;
  digest.learn_read(index, content);
}

u32 blocks_lost(dev_id dev) {
  const volume* v = volume_of(dev);
  return v ? buried_blocks(v->identity, v->places) : 0;
}

void loss_is_marked(dev_id dev) {
  if (const volume* v = volume_of(dev)) forget_tombstone(v->identity, v->places);
}

}  // namespace checkpoint
