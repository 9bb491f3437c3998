#include "fs/checkpoint/volume_use.h"

#include "fs/checkpoint/volume.h"

namespace checkpoint {

volume_use::volume_use(dev_id dev) : volume_(volume_of(dev)) {
  if (volume_) ++volume_->uses;
}

volume_use::~volume_use() {
  if (!volume_) return;
  --volume_->uses;
  release_if_unused(*volume_);
}

}  // namespace checkpoint
