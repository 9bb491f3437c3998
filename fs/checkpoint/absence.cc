#include "fs/checkpoint/absence.h"

#include <algorithm>

#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/settings.h"
#include "fs/checkpoint/volume.h"

namespace checkpoint {

result<void> require_stick(dev_id dev) {
  volume* v = volume_of(dev);
  if (!v) return {};
  const operation* const op = operation::current(dev);
  if (op && op->is_in_a_change()) wait_until_live(*v);
  if (v->state == volume_state::dead || v->state == volume_state::none) return fail(error::eio);
  return away(*v) ? result<void>(fail(error::absent)) : result<void>();
}

absence::absence() : seen_(state_changes()), left_(current_settings().io_wait) {}

result<void> absence::wait_for_change() {
  const instant begin = now();
  while (state_changes() == seen_) {
    const wake_reason reason = interruptible_sleep_on(any_change(), begin + left_);
    if (reason == wake_reason::signalled) return fail(error::eintr);
    if (reason == wake_reason::timed_out) return fail(error::eio);
  }
  seen_ = state_changes();
  left_ = std::max(duration{}, left_ - (now() - begin));
  return {};
}

}  // namespace checkpoint
