#include "drivers/usb/storage/usb_disk.h"

#include "hal/log.h"
#include "hal/panic.h"

namespace usb::storage {

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
    : disk_(disk), segments_(segments) {
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
  printk("%s: %s %s, %u MiB, write cache %s%s\n", disk_.name().data(), facts.vendor.data(),
         facts.product.data(), facts.sectors / 2048, facts.write_cache ? "on" : "off",
         facts.write_protected ? ", write-protected" : "");
}

void usb_disk::request_fn() { wake_up(disk_.device().activity); }

result<void> usb_disk::carry_out(request& r) {
  if (r.cmd == block_command::flush) return disk_.synchronize_cache();
  return disk_.read_write(r.cmd == block_command::write, r.sector, r.nr_sectors,
                          list_segments(r, segments_), {r.buffers.front()->b_data, BLOCK_SIZE});
}

bool usb_disk::carry_out_next() {
  request* r = next_request();
  if (!r) return false;
  const result<void> outcome = carry_out(*r);
  if (disk_.take_cache_doubt()) cache_lost();
  const bool here =
      outcome || (outcome.error() != error::enodev && outcome.error() != error::enomedium);
  if (!here) die();
  end_request(*r, here ? outcome : fail(error::enodev));
  return true;
}

}  // namespace usb::storage
