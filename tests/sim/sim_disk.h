// A simulated stick without a controller: the block device that a medium is while it is plugged in.
//
//   sim::medium stick(720);                     // sectors; outlives the worlds that use it
//   world.run([&] {
//     stick.plug();                             // media_arrived comes from the driver's task
//     …
//     stick.pull(sim::cache_loss::some);        // the driver notices a moment later
//     stick.plug();                             // a new block_device, a new attach epoch
//   });
//
// The order of events for the driver, and how long commands take, are drawn with the world's seed.
#pragma once

#include "tests/sim/medium.h"

namespace sim {

class sim_disk final : public block_device {
 public:
  explicit sim_disk(medium& medium);

  void start();       // its tasks
  void disconnect();  // contact is lost

 private:
  void request_fn() override { wake_up(work_); }
  void serve();
  void watch_port();
  void carry_out(request& r);
  result<void> perform(const request& r);
  result<void> read(const request& r);
  result<void> write(const request& r, std::optional<error> fault);
  result<void> flush_cache();
  bool wait_for_medium();  // false: it was pulled meanwhile

  medium& medium_;
  bool disconnected_ = false;
  bool left_ = false;  // media_left has been called
  wait_queue work_;
  wait_queue unplugged_;
};

}  // namespace sim
