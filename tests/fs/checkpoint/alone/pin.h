// A volume is used without a file system on it: its name is kept.
#pragma once

#include "fs/checkpoint/volume.h"

namespace sim {

inline void pin(dev_id dev) {
  if (checkpoint::volume* v = checkpoint::volume_of(dev)) ++v->uses;
}

inline void unpin(dev_id dev) {
  checkpoint::volume* v = checkpoint::volume_of(dev);
  if (!v) return;
  --v->uses;
  checkpoint::release_if_unused(*v);
}

}  // namespace sim
