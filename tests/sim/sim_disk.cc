#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <cstring>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/sim/scheduler.h"

namespace sim {
namespace {

duration random_duration(duration least, duration most) {
  return {least.ns + static_cast<i64>(random_below(static_cast<u64>(most.ns - least.ns) + 1))};
}

medium::sector sector_of(const buffer_head& bh, u32 index) {
  medium::sector content;
  std::memcpy(content.data(), bh.b_data + index * SECTOR_SIZE, SECTOR_SIZE);
  return content;
}

}  // namespace

sim_disk::sim_disk(medium& medium) : medium_(medium) {
  identity = medium.identity;
  max_sectors = medium.max_sectors;
  write_protected = medium.write_protected;
  removable = medium.removable;
}

void sim_disk::start() {
  daemon("sim_disk", [this] { serve(); });
  daemon("sim_port", [this] { watch_port(); });
}

void sim_disk::disconnect() {
  disconnected_ = true;
  wake_up(work_);
  wake_up(unplugged_);
}

// The driver's task, like that of a class driver.
void sim_disk::serve() {
  media_arrived(*this);
  while (!left_) {
    if (request* r = next_request())
      carry_out(*r);
    else
      sleep_on(work_);
  }
  wait_unreferenced();
  medium_.forget(*this);
}

// The hub's task: it notices a pull before or after the command under way has failed.
void sim_disk::watch_port() {
  while (!disconnected_) sleep_on(unplugged_);
  if (random_chance(2)) sleep_for(random_duration({}, 1_ms));
  die();
  media_left(*this);
  left_ = true;
  wake_up(work_);
}

void sim_disk::carry_out(request& r) {
  command_record record{epoch, r.cmd, r.sector, r.nr_sectors, now(), {}, false};
  result<void> outcome = perform(r);
  if (disconnected_) outcome = fail(error::enodev);  // its answer did not arrive
  if (disconnected_ && random_chance(2)) sleep_for(random_duration({}, 1_ms));
  record.ended = now();
  record.succeeded = outcome.has_value();
  medium_.note(record);
  if (disconnected_) die();  // before the request ends
  end_request(r, outcome);
}

bool sim_disk::wait_for_medium() {
  const instant done = now() + random_duration(medium_.least_latency, medium_.most_latency);
  while (!disconnected_ && sleep_on(unplugged_, done) != wake_reason::timed_out) {
  }
  return !disconnected_;
}

result<void> sim_disk::perform(const request& r) {
  if (!wait_for_medium()) return fail(error::enodev);
  const auto fault =
      medium_.fault ? medium_.fault(r.cmd, r.sector, r.nr_sectors) : std::optional<error>{};
  if (r.cmd == block_command::write) return write(r, fault);
  if (fault && r.cmd == block_command::flush) medium_.drop_cache();
  if (fault) return fail(*fault);
  return r.cmd == block_command::read ? read(r) : flush_cache();
}

result<void> sim_disk::read(const request& r) {
  if (medium_.reads_are_steps) medium_.step(step_kind::read);
  if (disconnected_) return fail(error::enodev);
  u32 number = r.sector.value();
  for (buffer_head& bh : r.buffers)
    for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) {
      const medium::sector content = medium_.newest(number++);
      std::memcpy(bh.b_data + i * SECTOR_SIZE, content.data(), SECTOR_SIZE);
    }
  return {};
}

// Steps: before the first sector, in the middle of every sector, and before the status.
result<void> sim_disk::write(const request& r, std::optional<error> fault) {
  u64 sectors_before_fault = fault ? random_below(r.nr_sectors) : r.nr_sectors;
  medium_.step(step_kind::command);
  u32 number = r.sector.value();
  for (buffer_head& bh : r.buffers)
    for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i, ++number) {
      if (disconnected_) return fail(error::enodev);
      if (sectors_before_fault-- == 0) return fail(*fault);
      medium_.write_sector(number, sector_of(bh, i));
    }
  if (disconnected_) return fail(error::enodev);
  if (!wait_for_medium()) return fail(error::enodev);
  medium_.step(step_kind::status);
  return {};
}

// Steps: before the first sector, and after each one; the last of these is also before the status.
result<void> sim_disk::flush_cache() {
  medium_.step(step_kind::command);
  if (disconnected_ || !medium_.flush()) return fail(error::enodev);
  return {};
}

}  // namespace sim
