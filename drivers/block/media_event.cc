#include "drivers/block/media_event.h"

namespace {
constinit media_listener listener{};
}

void set_media_listener(const media_listener& l) { listener = l; }

void media_arrived(block_device& device) {
  if (listener.arrived) listener.arrived(device);
}

void media_left(block_device& device) {
  if (listener.left) listener.left(device);
}
