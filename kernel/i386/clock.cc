// hal/clock.h for the PC. Time is the number of timer ticks, refined by how far the 8254 has
// counted down to the next one; the date is the battery-backed clock's at boot plus that time.
#include "kernel/i386/clock.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/port_io.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/rtc.h"
#include "kernel/i386/traps.h"
#include "kernel/sched.h"

namespace {

constexpr io_port counter_0 = 0x40, timer_mode = 0x43;
constexpr u8 rate_generator = 0x34;  // counter 0, two bytes, mode 2
constexpr u8 latch_counter_0 = 0x00;
constexpr u32 timer_frequency = 1'193'182;
constexpr u32 counts_per_tick = (timer_frequency + HZ / 2) / HZ;
constexpr i64 ns_per_tick = 1'000'000'000 / HZ;
constexpr io_port interrupt_controller = 0x20;
constexpr u8 read_requests = 0x0A;
constexpr u8 timer_line = 0;

u64 ticks = 0;
i64 latest = 0;  // what now() returned last
u32 date_at_boot = 0;

bool timer_interrupt(void*) {
  ++ticks;
  do_timer(interrupted_user_mode());
  return true;
}

// How far the counter has come since it was last reloaded.
u32 counts_since_reload() {
  out8(timer_mode, latch_counter_0);
  const u32 low = in8(counter_0);
  const u32 left = low | u32{in8(counter_0)} << 8;
  return counts_per_tick - std::min(left, counts_per_tick);
}

// The counter has been reloaded but its interrupt still waits, because interrupts are masked.
bool tick_is_pending() {
  out8(interrupt_controller, read_requests);
  return (in8(interrupt_controller) & 1 << timer_line) != 0;
}

}  // namespace

void clock_init() {
  out8(timer_mode, rate_generator);
  out8(counter_0, counts_per_tick & 0xFF);
  out8(counter_0, counts_per_tick >> 8);
  date_at_boot = read_rtc();
  (void)request_irq(timer_line, false, timer_interrupt, nullptr);
}

instant now() {
  irq_guard masked;
  const u32 counts = counts_since_reload();
  const bool uncounted_tick = tick_is_pending() && counts < counts_per_tick / 2;
  const i64 whole = static_cast<i64>(ticks + uncounted_tick) * ns_per_tick;
  latest = std::max(latest, whole + i64{counts} * ns_per_tick / counts_per_tick);
  return {latest};
}

u32 boot_date() { return date_at_boot; }

u32 current_time() { return date_at_boot + static_cast<u32>(ticks / HZ); }

void set_boot_date(u32 seconds) { date_at_boot = seconds; }
