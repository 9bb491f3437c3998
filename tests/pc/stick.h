// A stick of the simulated PC: a removable disk in memory, quick enough that every request has
// ended when request_fn returns, unless it is slowed down. It is plugged in while the object lives,
// until pull.
#pragma once

#include <vector>

#include "drivers/block/media_event.h"
#include "lib/types.h"

namespace pc {

class stick final : public block_device {
 public:
  // `content` is the medium; it outlives the stick. The kernel's replugd looks at it when its task
  // runs next.
  explicit stick(std::vector<byte>& content);
  ~stick() override;
  void pull();  // may be called again
  // So many reads fail, after some that do not.
  void fail_reads(u32 count, u32 after = 0) {
    failing_reads_ = count;
    good_reads_ = after;
  }
  u32 reads_to_fail() const { return failing_reads_; }
  // From now on each request takes so long. A task serves them, so the machine is not audited.
  void slow_down(duration each);

 private:
  void request_fn() override;
  void carry_out(request& r);
  [[noreturn]] void serve();
  bool read_fails();

  std::vector<byte>& content_;
  u32 failing_reads_ = 0, good_reads_ = 0;
  duration delay_{};  // 0: every request has ended when request_fn returns
  wait_queue work_;
};

}  // namespace pc
