#include "drivers/usb/storage/session.h"

#include <algorithm>
#include <memory>
#include <new>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"

namespace usb::storage {

namespace {

constexpr u8 class_mass_storage = 8, subclass_scsi = 6, protocol_bulk_only = 0x50;

}  // namespace

void session::find_units() {
  const host_device& device = carrier_.device();
  const u8 there = carrier_.count_units();
  count_ = std::min(there, max_units);
  if (there > 1) printk("usb %u-%u: %u units\n", device.facts.bus, device.facts.port, there);
  if (there > max_units)
    printk("usb %u-%u: only the first %u are used\n", device.facts.bus, device.facts.port,
           max_units);
  for (u8 i = 0; i < count_; ++i) places_[i].emplace(carrier_, i, there == 1, segments_);
}

// Lets each unit do one thing. False if none had anything to do.
bool session::serve_in_turn() {
  bool busy = false;
  for (auto& each : std::span(places_).first(count_))
    if (!carrier_.device().gone() && each->step()) busy = true;
  return busy;
}

// A request that comes while no unit has anything to do wakes the task; so does a pull.
void session::sleep_until_needed() {
  instant next_look = never;
  for (auto& each : std::span(places_).first(count_))
    next_look = std::min(next_look, each->next_look());
  const irq_guard guard;
  if (!carrier_.device().gone()) static_cast<void>(sleep_on(carrier_.device().activity, next_look));
}

// All units have ended. A CD-ROM beside the disk does not explain it.
const char* session::reason_of_end() {
  const std::span units = std::span(places_).first(count_);
  const auto disk = std::ranges::find_if(units, [](auto& each) { return each->is_disk(); });
  return (disk == units.end() ? units[0] : *disk)->unused();
}

void session::serve() {
  host_device& device = carrier_.device();
  if (!carrier_.has_endpoints()) {
    device.facts.unused = "a disk without a pair of bulk endpoints";
    printk("usb %u-%u: %s\n", device.facts.bus, device.facts.port, device.facts.unused);
    return device.release();
  }
  find_units();
  const std::span units = std::span(places_).first(count_);
  const auto has_ended = [](auto& each) { return each->has_ended(); };
  while (!device.gone() && !std::ranges::all_of(units, has_ended))
    if (!serve_in_turn()) sleep_until_needed();
  if (!device.gone()) device.facts.unused = reason_of_end();
  for (auto& each : units) each->leave();
  // Before the session ends: until then the controller may use its memory. The port is free while
  // references to the media are still held.
  device.release();
  for (auto& each : units) each->wait_until_let_go();
}

bool matches(const interface_info& interface) {
  return interface.interface_class == class_mass_storage && interface.subclass == subclass_scsi &&
         interface.protocol == protocol_bulk_only;
}

void serve(host_device& device, const interface_info& interface) {
  session& s = *new (device.memory.object.bytes().data()) session(device, interface);
  s.serve();
  std::destroy_at(&s);
}

}  // namespace usb::storage
