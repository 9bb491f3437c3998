// The system calls about time.
#include <algorithm>
#include <utility>

#include "hal/clock.h"
#include "kernel/sched.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {

constexpr i64 NS_PER_SECOND = 1'000'000'000;

abi::timespec to_timespec(duration d) {
  return {static_cast<i32>(d.ns / NS_PER_SECOND), static_cast<i32>(d.ns % NS_PER_SECOND)};
}

result<duration> to_duration(const abi::timespec& t) {
  if (t.seconds < 0 || t.nanoseconds < 0 || t.nanoseconds >= NS_PER_SECOND)
    return fail(error::einval);
  return duration{t.seconds * NS_PER_SECOND + t.nanoseconds};
}

// Since 1970.
duration date() { return now() - instant{} + duration{i64{boot_date()} * NS_PER_SECOND}; }

u32 date_in_seconds() { return static_cast<u32>(date().ns / NS_PER_SECOND); }

struct tms {
  u32 user, system, children_user, children_system;  // in ticks of HZ
};

}  // namespace

result<u32> sys_time(user_ptr to) {
  const u32 time = date_in_seconds();
  if (to) TRY(put_user(to, time));
  return time;
}

result<void> sys_stime(user_ptr from) {
  const u32 time = TRY(get_user<u32>(from));
  set_boot_date(boot_date() + time - date_in_seconds());
  return {};
}

result<u32> sys_times(user_ptr to) {
  const tms used{current->user_ticks, current->system_ticks, current->child_user_ticks,
                 current->child_system_ticks};
  if (to) TRY(put_user(to, used));
  return jiffies & 0x7FFF'FFFF;
}

result<void> sys_clock_gettime(u32 clock, user_ptr to) {
  switch (clock) {
    case abi::clock_monotonic: return put_user(to, to_timespec(now() - instant{}));
    case abi::clock_realtime: return put_user(to, to_timespec(date()));
    default: return fail(error::einval);
  }
}

// A signal that has a handler ends the sleep; `remaining` gets the time that was left.
result<void> sys_nanosleep(user_ptr time, user_ptr remaining) {
  const instant end_before_stop = std::exchange(current->sleep_end, never);
  const abi::timespec asked = TRY(get_user<abi::timespec>(time));
  const instant end = std::min(now() + TRY(to_duration(asked)), end_before_stop);
  wait_queue nobody_wakes;
  while (now() < end) {
    if (interruptible_sleep_on(nobody_wakes, end) != wake_reason::signalled) continue;
    const duration left = std::max(end - now(), duration{});
    if (remaining) {
      const result<void> told = put_user(remaining, to_timespec(left));
      if (!told && told.error() != error::eintr) return told;
    }
    current->sleep_end = end;
    return fail(error::eintr);
  }
  return {};
}
