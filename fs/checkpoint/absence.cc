#include "fs/checkpoint/absence.h"

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

absence::absence() : seen_(state_changes()) {}

result<void> absence::wait_for_change() {
  if (deadline_ == never) deadline_ = now() + current_settings().io_wait;
  if (now() >= deadline_) return fail(error::eio);  // also when sticks come and go all the time
  while (state_changes() == seen_) switch (interruptible_sleep_on(any_change(), deadline_)) {
      case wake_reason::signalled: return fail(error::eintr);
      case wake_reason::timed_out: return fail(error::eio);
      case wake_reason::woken: break;
    }
  seen_ = state_changes();
  return {};
}

}  // namespace checkpoint
