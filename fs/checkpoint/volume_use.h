// volume_use: something needs the volume of a device under its name: a mounted file system, an open
// block device, an operation. The name is given to no other stick as long as there is one, also
// while the stick is away, and when the volume was given up.
#pragma once

#include <utility>

#include "lib/ids.h"

namespace checkpoint {

struct volume;

class [[nodiscard]] volume_use {
 public:
  volume_use() = default;
  // Of the volume that has the name now; of none, when the device cannot be pulled. Never sleeps.
  explicit volume_use(dev_id dev);
  explicit volume_use(volume& v);
  volume_use(volume_use&& other) noexcept : volume_(std::exchange(other.volume_, nullptr)) {}
  volume_use& operator=(volume_use&& other) noexcept {
    std::swap(volume_, other.volume_);
    return *this;
  }
  // The last one of a volume without a stick makes the name free. Never sleeps.
  ~volume_use() {
    if (volume_) end();
  }

 private:
  void end();

  volume* volume_ = nullptr;
};

}  // namespace checkpoint
