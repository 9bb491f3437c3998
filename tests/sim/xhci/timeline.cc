#include "tests/sim/xhci/timeline.h"

#include "hal/clock.h"
#include "hal/irq.h"
#include "tests/sim/scheduler.h"

namespace sim {

void timeline::start() {
  daemon("hardware", [this] { run(); });
}

void timeline::after(duration delay, std::function<void()> action) {
  actions_.emplace((now() + delay).ns, std::move(action));
  wake_up(changed_);
}

void timeline::between(duration least, duration most, std::function<void()> action) {
  const auto width = static_cast<u64>(most.ns - least.ns) + 1;
  after({least.ns + static_cast<i64>(random_below(width))}, std::move(action));
}

void timeline::run() {
  const irq_guard until_it_sleeps;
  for (;;) {
    const auto next = actions_.begin();
    if (next == actions_.end()) {
      sleep_on(changed_);
    } else if (next->first > now().ns) {
      sleep_on(changed_, instant{next->first});
    } else {
      const auto action = std::move(next->second);
      actions_.erase(next);
      action();
      yield();
    }
  }
}

}  // namespace sim
