#include "drivers/block/block_device.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/dma.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

// The book's request array: one for all devices, so the number of requests has a limit.
constexpr u32 NR_REQUEST = 64;
// The last ones, for devices that hold none.
constexpr u32 NR_RESERVED = 8;
constinit std::array<request, NR_REQUEST> requests{};
constinit wait_queue wait_for_request{};
constinit attach_epoch last_epoch{};

constinit u32 requests_left = NR_REQUEST;

// The end of one buffer's I/O, successful or not.
void end_buffer(block_command cmd, buffer_head& bh, result<void> outcome) {
  bh.b_lock = false;
  if (cmd == block_command::read) {
    bh.b_uptodate = outcome.has_value();
  } else if (outcome) {
    bh.b_dirt = false;
    bh.b_error.reset();
  } else if (outcome.error() != error::enodev) {
    bh.b_error = outcome.error();
  }
  if (bh.b_end_io) bh.b_end_io(bh, cmd == block_command::write, outcome);
  wake_up(bh.b_wait);
}

// Whether `second` follows `first` in memory, in the same piece.
bool continues(const buffer_head& first, const buffer_head& second) {
  const bool boundary = reinterpret_cast<uintptr_t>(second.b_data) % DMA_BOUNDARY == 0;
  return second.b_data == first.b_data + BLOCK_SIZE && !boundary;
}

// Whether a request moves the block that begins at this sector, or a part of it: blocks of two
// partitions may overlap.
bool has_block(const request& r, lba first) {
  return first < r.sector + r.nr_sectors && r.sector < first + SECTORS_PER_BLOCK;
}

}  // namespace

u32 requests_in_use() { return NR_REQUEST - requests_left; }

block_device::block_device() : epoch(++last_epoch) {}

// No device holds more requests than are left for the others: one whose stick does not answer
// leaves room for them. Three such devices leave the reserved ones, so that each of eight others,
// the RAM disk among them, goes on with one at a time. Null: this device must wait.
request* block_device::find_free_request() {
  if (requests_held_ >= requests_left) return nullptr;
  if (requests_held_ > 0 && requests_left <= NR_RESERVED) return nullptr;
  request& found = *std::ranges::find(requests, false, &request::in_use);
  found.in_use = true;
  --requests_left;
  ++requests_held_;
  return &found;
}

void block_device::free_request(request& r) {
  r.in_use = false;
  r.done = false;
  ++requests_left;
  --requests_held_;
  wake_up(wait_for_request);
}

// Sleeps until a request is free. Returns null at once when the device is gone.
request* block_device::get_request() {
  may_sleep();
  while (!gone_) {
    if (request* r = find_free_request()) return r;
    sleep_on(wait_for_request);
  }
  return nullptr;
}

// The errors that are known without asking the device.
result<void> block_device::admit(block_command cmd, lba first) const {
  if (gone_) return fail(error::enodev);
  if (cmd == block_command::write && write_protected) return fail(error::erofs);
  if (identity.sectors < SECTORS_PER_BLOCK || first.value() > identity.sectors - SECTORS_PER_BLOCK)
    return fail(error::eio);
  return {};
}

void block_device::submit(block_command cmd, lba first, buffer_head& bh) {
  kassert(!bh.b_lock && !bh.b_request.linked());
  bh.b_lock = true;
  bh.b_sent = false;
  const result<void> admitted = admit(cmd, first);
  if (!admitted) return end_buffer(cmd, bh, admitted);
  if (merge(cmd, first, bh)) return;
  const device_reference over_the_sleep(*this);
  request* r = get_request();
  if (!r) return end_buffer(cmd, bh, fail(error::enodev));
  r->cmd = cmd;
  r->sector = first;
  r->nr_sectors = SECTORS_PER_BLOCK;
  r->nr_pieces = 1;
  r->buffers.push_back(bh);
  add_request(*r);
}

// Adds the block to a queued request that ends where the block begins, or that begins where the
// block ends. A request that would become larger than the device can be sent is passed over. The
// newest requests are tried first: the last block of a sequential writer is in one of them. The
// block passes neither a flush nor a request for the same block.
bool block_device::merge(block_command cmd, lba first, buffer_head& bh) {
  for (request* r = queue_.back(); r; r = queue_.prev(*r)) {
    if (r->cmd == block_command::flush || has_block(*r, first)) return false;
    if (r->cmd != cmd || r->nr_sectors + SECTORS_PER_BLOCK > max_sectors) continue;
    const bool behind = r->sector + r->nr_sectors == first;
    const bool in_front = first + SECTORS_PER_BLOCK == r->sector;
    if (!behind && !in_front) continue;
    const bool same_piece =
        behind ? continues(*r->buffers.back(), bh) : continues(bh, *r->buffers.front());
    if (!same_piece && r->nr_pieces == max_pieces) continue;
    if (!same_piece) ++r->nr_pieces;
    r->nr_sectors += SECTORS_PER_BLOCK;
    if (behind) {
      r->buffers.push_back(bh);
    } else {
      r->buffers.push_front(bh);
      r->sector = first;
    }
    return true;
  }
  return false;
}

// The one-way elevator: the sectors behind the last request taken come first, in rising order, then
// the lower ones in rising order. Reads and writes are treated alike, so none of them waits for
// ever. No request passes a flush, or a request for one of its blocks, that was queued before it.
bool block_device::before(const request& a, const request& b) const {
  const bool a_wraps = a.sector < position_;
  const bool b_wraps = b.sector < position_;
  return a_wraps != b_wraps ? b_wraps : a.sector < b.sector;
}

void block_device::add_request(request& r) {
  request* position = nullptr;
  if (r.cmd != block_command::flush)
    for (request* q = queue_.back(); q; q = queue_.prev(*q)) {
      if (q->cmd == block_command::flush || has_block(*q, r.sector) || !before(r, *q)) break;
      position = q;
    }
  queue_.insert_before(position, r);
  request_fn();
}

request* block_device::next_request() {
  request* r = queue_.pop_front();
  if (!r) return nullptr;
  if (r->cmd != block_command::flush) position_ = r->sector + r->nr_sectors;
  for (buffer_head& bh : r->buffers) bh.b_sent = true;
  return r;
}

void block_device::end_request(request& r, result<void> outcome) {
  if (r.cmd == block_command::flush) {
    if (!outcome) cache_lost();
    r.outcome = outcome;
    r.done = true;
    wake_up(r.waiting);
    return;  // flush() frees the request
  }
  const block_command cmd = r.cmd;
  if (settling_time_ > duration{} && cmd == block_command::write) last_write_ = now();
  while (buffer_head* bh = r.buffers.pop_front()) end_buffer(cmd, *bh, outcome);
  free_request(r);
}

void block_device::end_first_block(request& r, result<void> outcome) {
  kassert(r.nr_sectors > SECTORS_PER_BLOCK);
  r.sector = r.sector + SECTORS_PER_BLOCK;
  r.nr_sectors -= SECTORS_PER_BLOCK;
  end_buffer(r.cmd, *r.buffers.pop_front(), outcome);
}

result<void> block_device::flush() {
  const device_reference over_the_sleeps(*this);
  request* r = get_request();
  if (!r) return fail(error::enodev);
  r->cmd = block_command::flush;
  r->sector = lba{};
  r->nr_sectors = r->nr_pieces = 0;
  add_request(*r);
  while (!r->done) sleep_on(r->waiting);
  const result<void> outcome = r->outcome;
  free_request(*r);
  if (outcome && settling_time_ > duration{}) wait_until_settled();
  return gone_ ? fail(error::enodev) : outcome;
}

// What has completed until now is durable at the end. The first time, the moment of the last write
// is not known.
void block_device::wait_until_settled() {
  const instant settled = (last_write_ == never ? now() : last_write_) + settling_time_;
  if (last_write_ == never) last_write_ = now();
  while (!gone_ && now() < settled) sleep_on(settling_, settled);
}

void block_device::die() {
  gone_ = true;
  wake_up(settling_);
  while (request* r = queue_.pop_front()) end_request(*r, fail(error::enodev));
  wake_up(wait_for_request);  // another device may hold all requests for a long time
}

void block_device::drop() {
  kassert(references_ > 0);
  if (--references_ == 0) wake_up(unreferenced_);
}

bool block_device::wait_unreferenced(instant deadline) {
  while (references_ > 0)
    if (sleep_on(unreferenced_, deadline) == wake_reason::timed_out) return references_ == 0;
  return true;
}

result<void> read_blocks(block_device& device, lba first, std::span<byte> to) {
  const device_reference over_the_sleeps(device);
  for (size_t done = 0; done + BLOCK_SIZE <= to.size(); done += BLOCK_SIZE) {
    buffer_head bh;
    bh.b_data = to.data() + done;
    device.submit(block_command::read, first + static_cast<u32>(done / SECTOR_SIZE), bh);
    wait_on_buffer(bh);
    if (!bh.b_uptodate) return fail(device.gone() ? error::enodev : error::eio);
  }
  return {};
}
