#include "drivers/usb/storage/usb_disk.h"

#include <algorithm>
#include <memory>
#include <new>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/panic.h"

namespace usb::storage {

namespace {

// How often a card reader is asked whether there is a card in it.
constexpr duration look_interval = 1_s;

constexpr u8 class_mass_storage = 8, subclass_scsi = 6, protocol_bulk_only = 0x50;

// The pause before a device that has ended a plug by itself is examined again. Without it, a device
// with a unit attention for every command would begin a hundred plugs in a second.
class pace {
 public:
  // After a plug of this length.
  duration pause_after(duration life) {
    constexpr duration lasting = 10_s, shortest = 100_ms, longest = 12'800_ms;
    pause_ = life >= lasting ? duration{} : std::clamp(pause_ + pause_, shortest, longest);
    return pause_;
  }

 private:
  duration pause_{};
};

// The medium is of no use. Waits until it has been taken out or exchanged, or the device is gone.
void wait_for_another_medium(session& s) {
  result<void> ready;
  do {
    s.carrier.pause(look_interval);
    ready = s.disk.test_ready();
  } while (!s.disk.device().gone() && (ready || ready.error() != error::enomedium));
}

void serve_media(session& s) {
  host_device& device = s.disk.device();
  pace pace;
  while (!device.gone()) {
    const result<disk_facts> facts = s.disk.make_ready();
    if (facts) {
      const instant begun = now();
      usb_disk plug(s.disk, *facts, s.segments);
      plug.work();
      s.carrier.pause(pace.pause_after(now() - begun));
    } else if (facts.error() == error::enomedium) {
      s.carrier.pause(look_interval);
    } else {
      if (!device.gone())
        printk("usb %u-%u: the disk is not usable (error %d)\n", device.facts.bus,
               device.facts.port, to_errno(facts.error()));
      if (!s.disk.takes_media()) return;
      wait_for_another_medium(s);
    }
  }
}

}  // namespace

bool matches(const interface_info& interface) {
  return interface.interface_class == class_mass_storage && interface.subclass == subclass_scsi &&
         interface.protocol == protocol_bulk_only;
}

void serve(host_device& device, const interface_info& interface) {
  session& s = *new (device.memory.object.bytes().data()) session(device, interface);
  if (s.carrier.has_endpoints())
    serve_media(s);
  else
    printk("usb %u-%u: a disk without a pair of bulk endpoints\n", device.facts.bus,
           device.facts.port);
  device.release();  // before the session ends: until then the controller may use its memory
  std::destroy_at(&s);
}

std::span<const dma_segment> list_segments(request& r, segment_list& list) {
  size_t used = 0;
  for (const buffer_head& bh : r.buffers) {
    const phys_addr at = dma_address(bh.b_data);
    kassert(at.value() % BLOCK_SIZE == 0);  // so no block crosses a multiple of DMA_BOUNDARY
    dma_segment* last = used ? &list[used - 1] : nullptr;
    if (last && last->address + last->length == at)
      last->length += BLOCK_SIZE;
    else
      list[used++] = {at, BLOCK_SIZE};
  }
  return std::span(list).first(used);
}

usb_disk::usb_disk(scsi_disk& disk, const disk_facts& facts, segment_list& segments)
    : disk_(disk), segments_(segments), removable_medium_(facts.removable_medium) {
  const device_facts& usb = disk.device().facts;
  identity.vendor_id = usb.vendor_id;
  identity.product_id = usb.product_id;
  identity.vendor = facts.vendor;
  identity.product = facts.product;
  identity.serial = usb.serial;
  identity.sectors = facts.sectors;
  max_sectors = usb.at >= speed::super ? max_sectors_super_speed : max_sectors_high_speed;
  max_pieces = max_transfer_pieces;
  write_protected = facts.write_protected;
  removable = true;
  print_arrival(facts);
}

void usb_disk::print_arrival(const disk_facts& facts) const {
  const device_facts& usb = disk_.device().facts;
  printk("usb %u-%u: %s %s, %u MiB, write cache %s%s\n", usb.bus, usb.port, facts.vendor.data(),
         facts.product.data(), facts.sectors / 2048, facts.write_cache ? "on" : "off",
         facts.write_protected ? ", write-protected" : "");
}

void usb_disk::request_fn() { wake_up(disk_.device().activity); }

// Sleeps until there may be a request. False when the medium has been taken out meanwhile.
bool usb_disk::idle() {
  {
    const irq_guard guard;
    if (disk_.device().gone()) return true;
    const instant next_look = removable_medium_ ? now() + look_interval : never;
    if (sleep_on(disk_.device().activity, next_look) == wake_reason::woken) return true;
  }
  const result<void> ready = disk_.test_ready();
  return ready || ready.error() != error::enomedium;
}

result<void> usb_disk::carry_out(request& r) {
  if (r.cmd == block_command::flush) return disk_.synchronize_cache();
  return disk_.read_write(r.cmd == block_command::write, r.sector, r.nr_sectors,
                          list_segments(r, segments_), {r.buffers.front()->b_data, BLOCK_SIZE});
}

void usb_disk::work() {
  media_arrived(*this);
  bool here = true;
  while (here && !disk_.device().gone()) {
    request* r = next_request();
    if (!r) {
      here = idle();
      continue;
    }
    const result<void> outcome = carry_out(*r);
    if (disk_.take_cache_doubt()) cache_lost();
    here = outcome || (outcome.error() != error::enodev && outcome.error() != error::enomedium);
    if (!here) die();
    end_request(*r, here ? outcome : fail(error::enodev));
  }
  die();
  media_left(*this);
  // Frees the port while references are still held, also when the device is pulled only now.
  do {
    if (disk_.device().gone()) disk_.device().release();
  } while (!wait_unreferenced(now() + 100_ms));
}

}  // namespace usb::storage
