#include "drivers/usb/storage/usb_disk.h"

#include <algorithm>
#include <utility>

#include "hal/clock.h"
#include "hal/log.h"
#include "hal/panic.h"

namespace usb::storage {

namespace {

command_kind kind_of(const request& r) {
  if (r.cmd == block_command::flush) return command_kind::flush;
  return r.cmd == block_command::read ? command_kind::read : command_kind::write;
}

}  // namespace

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
  std::span<const dma_segment> segments = list_segments(r, segments_);
  if (block_by_block_) {
    segments_[0].length = BLOCK_SIZE;
    segments = segments.first(1);
  }
  return disk_.read_write(r.cmd == block_command::write, r.sector, sectors_at_once(r), segments,
                          {r.buffers.front()->b_data, BLOCK_SIZE});
}

// Whether a device that needs time has it.
bool usb_disk::has_time(const request& r) {
  constexpr duration patience = 30_s, one_delay = 60_s;  // between two answers of one delay
  if (now() - last_busy_ >= one_delay) busy_since_ = now();
  last_busy_ = now();
  again_ = now() + 100_ms;
  busy_since_ = std::min(busy_since_, now());
  if (again_ < busy_since_ + patience) return true;
  const u64 first = r.sector.value();
  disk_.note_delay(kind_of(r), {first, first + sectors_at_once(r)});
  return false;
}

// Whether the request stays in hand: there is more to do, or it is tried again.
bool usb_disk::is_kept(const request& r, const result<void>& outcome) {
  if (outcome) return false;
  if (outcome.error() == error::ebusy) return has_time(r);
  if (outcome.error() != error::eio) return false;
  if (block_by_block_ || r.nr_sectors <= SECTORS_PER_BLOCK) return false;
  block_by_block_ = true;
  again_ = {};
  return true;
}

// Ends the request, or the block of it that was carried out.
void usb_disk::settle(request& r, result<void> outcome) {
  if (!outcome && (ends_the_plug(outcome.error()) || outcome.error() == error::ebusy)) {
    in_hand_ = nullptr;
    die();
    return end_request(r, fail(error::enodev));
  }
  if (outcome == fail(error::eproto)) outcome = fail(error::eio);
  if (block_by_block_ && r.nr_sectors > SECTORS_PER_BLOCK) {
    again_ = {};
    return end_first_block(r, outcome);
  }
  in_hand_ = nullptr;
  end_request(r, outcome);
}

bool usb_disk::carry_out_next() {
  if (!in_hand_) {
    in_hand_ = next_request();
    block_by_block_ = false;
    again_ = {};
  }
  request* r = in_hand_;
  if (!r || (again_ != instant{} && now() < again_)) return false;
  const result<void> outcome = carry_out(*r);
  if (outcome) busy_since_ = never;
  if (disk_.take_cache_doubt()) cache_lost();
  settles_in(disk_.settling_time());
  if (!is_kept(*r, outcome)) settle(*r, outcome);
  return true;
}

void usb_disk::end() {
  die();
  if (request* r = std::exchange(in_hand_, nullptr)) end_request(*r, fail(error::enodev));
}

}  // namespace usb::storage
