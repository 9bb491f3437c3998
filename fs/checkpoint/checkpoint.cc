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

bool absent(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && away(*v);
}

bool dead(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && v->state == volume_state::dead;
}

result<void> wait_live(dev_id dev) {
  volume* v = volume_of(dev);
  return v ? wait_until_live(*v, operation::current(dev) != nullptr) : result<void>{};
}

result<void> settle(dev_id dev, bool force) {
  volume* v = volume_of(dev);
  if (!v) return {};
  // A pull that the volume has not been told of yet counts as one only when it has been.
  while (being_replayed(*v) || (v->state == volume_state::live && away(*v))) sleep_on(v->changed);
  if (force && away(*v) && has_unfinished_work(*v)) dropped(*v);
  while (away(*v) && has_unfinished_work(*v))
    if (interruptible_sleep_on(v->changed) == wake_reason::signalled) return fail(error::eintr);
  if (v->state == volume_state::dead) return fail(error::eio);
  return {};
}

void mounted(dev_id dev) {
  if (volume* v = volume_of(dev)) ++v->mounts;
}

void unmounted(dev_id dev) {
  volume* v = volume_of(dev);
  if (!v) return;
  kassert(v->mounts > 0);
  --v->mounts;
  release_if_unused(*v);
}

u32 blocks_lost(dev_id dev) {
  const volume* v = volume_of(dev);
  if (!v) return 0;
  const u32 blocks = buried_blocks(v->identity);
  forget_tombstone(v->identity);
  return blocks;
}

}  // namespace checkpoint
