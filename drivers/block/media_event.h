// media_event: how the news of a plug or a pull travels upward.
//
// A driver announces; kernel/main.cc has wired the one listener (fs/replug/replugd.cc). Nothing
// here calls upward by name, so a driver knows nothing of file systems.
#pragma once

#include "drivers/block/block_device.h"

struct media_listener {
  // A medium is there and ready for commands. Called in the driver's task; may not sleep long: it
  // takes a reference and lets a task of its own look at the medium.
  void (*arrived)(block_device& device);
  // It is gone; device.die() has been called. May not sleep.
  void (*left)(block_device& device);
};

void set_media_listener(const media_listener& listener);
void media_arrived(block_device& device);
void media_left(block_device& device);
