// The blocks of a device that the region holds, for the file system.
#pragma once

#include "fs/checkpoint/volume.h"

namespace checkpoint {

// Whether is_meant(block, owner) holds for one of them; `owner`: the inode that it belongs to, 0
// for the file system itself. True as well when it is not known what is not durable yet: no shadows
// are taken, the device cannot be pulled, or its volume was given up.
template <class Choice>
bool any_held(dev_id dev, Choice is_meant) {
  const volume* const v = volume_of(dev);
  if (!v || !shadows_enabled() || v->state == volume_state::dead) return true;
  for (const slot& s : v->set)
    if (s.dev == dev && is_meant(s.block, s.owner)) return true;
  return false;
}

}  // namespace checkpoint
