#include "fs/checkpoint/volume_use.h"

#include "fs/checkpoint/volume.h"

namespace checkpoint {

volume_use::volume_use(dev_id dev) : volume_(volume_of(dev)) {
  if (volume_) ++volume_->uses;
}

volume_use::volume_use(volume& v) : volume_(&v) { ++v.uses; }

void volume_use::end() {
  --volume_->uses;
  if (!has_device(*volume_)) release_if_unused(*volume_);
}

}  // namespace checkpoint
