// media_event: how the news of a plug or a pull travels upward.
//
// A driver announces the event. The one listener, fs/replug/replugd.cc, has registered itself at
// boot (replugd_init, called by kernel/main.cc). So a driver knows nothing of file systems.
#pragma once

#include "drivers/block/block_device.h"

// The number of media that can be plugged in at the same time: one for each port that a driver has,
// and further ones in devices that take several. No driver has more places.
constexpr u32 MAX_PORT_MEDIA = 256, MAX_FURTHER_MEDIA = 64;
constexpr u32 MAX_MEDIA = MAX_PORT_MEDIA + MAX_FURTHER_MEDIA;

struct media_listener {
  // A medium is there and ready for commands. May not sleep: the task that calls it is the one that
  // serves the medium's requests. The listener takes a reference (block_device::hold)
  // and looks at the medium in a task of its own.
  void (*arrived)(block_device& device);
  // The medium is gone: device.die() has been called. May not sleep. After this the driver waits
  // until all references are dropped.
  void (*left)(block_device& device);
};

// Replaces the listener. Never sleeps.
void set_media_listener(const media_listener& listener);
// For drivers: each calls the listener, if there is one.
void media_arrived(block_device& device);
void media_left(block_device& device);
