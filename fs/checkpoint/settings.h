// Times of the checkpoint that can be set: at boot (hold=, io_wait=, in seconds) and later (ckpt).
#pragma once

#include "lib/time.h"

namespace checkpoint {

struct settings {
  duration hold =
      300_s;  // how long an absent stick's blocks are kept; 0 at boot: no shadows at all
  duration io_wait = 30_s;  // how long a caller waits for an absent stick before it gets eio
};
inline constinit settings times{};
inline settings& current_settings() { return times; }

}  // namespace checkpoint
