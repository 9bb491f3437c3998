#include "fs/replug/guests.h"

#include <algorithm>
#include <array>
#include <span>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/panic.h"

namespace checkpoint {

namespace {

struct guest {
  block_device* device = nullptr;
  instant due = never;
  duration pause{};  // before its last try; 0: it could be read so far
};

// In the order of their arrival; there is room for all that can be plugged in.
constinit std::array<guest, MAX_MEDIA> places{};
constinit u32 count = 0;
constinit u32 changes = 0;
constinit wait_queue due_now{};

std::span<guest> all_guests() { return std::span(places).first(count); }

// Null when it is no guest.
guest* find(const block_device& device) {
  const auto found = std::ranges::find(all_guests(), &device, &guest::device);
  return found == all_guests().end() ? nullptr : &*found;
}

void add(block_device& device, instant due) {
  if (guest* g = find(device)) {
    g->due = std::min(g->due, due);
    return;
  }
  kassert(count < places.size());
  device.hold();
  places[count++] = {&device, due, {}};
  ++changes;
}

}  // namespace

void add_guest(block_device& device) {
  add(device, now());
  wake_up(due_now);
}

void keep_guest(block_device& device) {
  if (!device.gone()) add(device, never);
}

void remove_guest(block_device& device) {
  guest* g = find(device);
  if (!g) return;
  std::move(g + 1, places.data() + count, g);
  places[--count] = {};
  ++changes;
  device.drop();
}

block_device* due_guest() {
  const auto next = std::ranges::min_element(all_guests(), {}, &guest::due);
  if (next == all_guests().end() || next->due > now()) return nullptr;
  next->due = never;
  return next->device;
}

void look_again_at_guests() {
  for (guest& g : all_guests()) g.due = std::min(g.due, now());
  wake_up(due_now);
}

duration try_guest_again(block_device& device) {
  guest* g = find(device);
  if (!g) return {};
  g->pause = std::clamp(g->pause + g->pause, duration{1_s}, LONGEST_PAUSE);
  g->due = std::min(g->due, now() + g->pause);
  return g->pause;
}

instant next_due_guest() {
  instant next = never;
  for (const guest& g : all_guests()) next = std::min(next, g.due);
  return next;
}

wait_queue& guests_due() { return due_now; }

u32 nr_guests() { return count; }
block_device* guest_at(u32 index) { return places[index].device; }
u32 guest_changes() { return changes; }

}  // namespace checkpoint
