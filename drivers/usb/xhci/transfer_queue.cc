#include "drivers/usb/xhci/transfer_queue.h"

#include <algorithm>

#include "hal/panic.h"

namespace xhci {

namespace {

// After an error the endpoint executes nothing until it is restarted (4.8.3). A Data Buffer Error
// counts as one, too: a controller that goes on behind it is stopped then.
bool is_error(completion code) {
  switch (code) {
    case completion::success:
    case completion::short_packet:
    case completion::stopped:
    case completion::stopped_length_invalid:
    case completion::stopped_short_packet: return false;
    default: return true;
  }
}

}  // namespace

u32 td_size(u32 done, u32 total, u32 max_packet) {
  if (done >= total) return 0;
  const u32 packets = (total + max_packet - 1) / max_packet;
  return std::min(31u, packets - done / max_packet);
}

void transfer_queue::open(std::span<const dma_buffer> segments, u32 max_packet, u32 max_burst) {
  ring_.use(segments);
  max_packet_ = max_packet;
  burst_ = max_packet * (max_burst + 1);
}

void transfer_queue::append(const descriptor& d) {
  descriptors_[(head_ + count_) % max_transfers] = d;
  ++count_;
}

void transfer_queue::pieces_to_come::advance(u32 bytes) {
  done += bytes;
  while (!segments.empty() && done == segments.front().length) {
    segments = segments.subspan(1);
    done = 0;
  }
}

// How many bytes of a transfer go before the next Link: all that are left of it, if their TRBs fit;
// otherwise as many whole bursts as fit. For pieces so small that too many TRBs would stay unused,
// what fits: hardware wants whole bursts, but no transfer may fail for that.
u32 transfer_queue::bytes_before_link(pieces_to_come pieces, u32 left) const {
  const u32 room = ring_.room_before_link();
  u32 bytes = 0, whole_bursts = 0, unused = room;
  for (u32 i = 1; i <= room; ++i) {
    const u32 length = pieces.length();
    bytes += length;
    pieces.advance(length);
    if (bytes == left) return left;
    if (bytes - whole_bursts < burst_) continue;
    whole_bursts = bytes - bytes % burst_;
    unused = room - i;
  }
  return unused <= most_unused_trbs ? whole_bursts : bytes;
}

// Pushes the TRBs of a transfer from byte `done` to `end`.
void transfer_queue::push_until(u32 end, u32& done, pieces_to_come& pieces, descriptor& d) {
  const bool in = (d.owner->endpoint_address & 0x80) != 0;
  while (done < end) {
    const u64 at = pieces.address();
    const u32 length = std::min(pieces.length(), end - done);
    pieces.advance(length);
    const bool first = done == 0, last = done + length == d.length;
    done += length;
    u32 flags = in ? trb_control::interrupt_on_short::mask : 0;
    if (!last) flags |= trb_control::chain::mask;
    if (last && !d.owner->quiet) flags |= trb_control::interrupt_on_completion::mask;
    d.last =
        ring_.push(normal_trb(phys_addr{at}, length, td_size(done, d.length, max_packet_), flags));
    if (first) d.first = d.last;
    ++d.trbs;
  }
}

result<void> transfer_queue::add(usb::transfer& t) {
  const u32 count = usb::count_pieces(t.segments);
  const bool fits = count <= ring_.room_before_link();
  if (count_ == max_transfers || !ring_.has_room(fits ? count : most_trbs(count)))
    return fail(error::enomem);
  u32 total = 0;
  for (const dma_segment& segment : t.segments) total += segment.length;
  kassert(total > 0);

  descriptor d{.owner = &t, .length = total};
  pieces_to_come pieces{t.segments};
  pieces.advance(0);
  for (u32 done = 0; done < total;) {
    push_until(fits ? total : done + bytes_before_link(pieces, total - done), done, pieces, d);
    const bool at_begin_of_segment = ring_.room_before_link() == producer_ring::segment_trbs - 1;
    if (done < total && !at_begin_of_segment) d.trbs += ring_.skip_to_next_segment(done > 0);
  }
  append(d);
  ring_.publish();
  return {};
}

result<void> transfer_queue::add_control(usb::transfer& t, const usb::setup_packet& setup,
                                         phys_addr buffer) {
  if (count_ == max_transfers || !ring_.has_room(3)) return fail(error::enomem);
  const bool in = (setup.request_type & 0x80) != 0;
  const u32 length = setup.length;
  descriptor d{.owner = &t, .trbs = length ? 3u : 2u, .length = length, .control = true};
  d.first = ring_.push(setup_trb(setup, length != 0, in));
  if (length) ring_.push(data_trb(buffer, length, in));
  d.last = ring_.push(status_trb(length == 0 || !in));
  append(d);
  ring_.publish();
  return {};
}

// Ends all transfers before the one that contains `position`. False when no transfer contains it.
bool transfer_queue::bring_to_front(u32 position) {
  u32 before = 0;
  for (; before < count_; ++before) {
    const descriptor& d = descriptors_[(head_ + before) % max_transfers];
    if (ring_.distance(d.first, position) <= ring_.distance(d.first, d.last)) break;
  }
  if (before == count_) return false;
  while (before--) finish({}, oldest().length);
  return true;
}

// The number of data bytes moved: the lengths of the data TRBs up to and including `position`,
// minus the residual.
u32 transfer_queue::bytes_until(const descriptor& d, u32 position, u32 residual) const {
  u32 sum = 0;
  for (u32 at = d.first;; at = ring_.next(at)) {
    const trb& t = ring_.at(at);
    if (type_of(t) == trb_type::normal || type_of(t) == trb_type::data)
      sum += trb_status::length::get(t.status);
    if (at == position || at == d.last) break;
  }
  return sum - std::min(sum, residual);
}

void transfer_queue::finish(result<void> outcome, u32 actual) {
  const descriptor d = oldest();
  head_ = (head_ + 1) % max_transfers;
  --count_;
  ring_.retire(d.trbs);
  d.owner->outcome = outcome;
  d.owner->actual = actual;
  d.owner->done = true;
}

bool transfer_queue::on_event(u64 trb_address, completion code, u32 residual) {
  const std::optional<u32> position = ring_.position_of(trb_address);
  if (!position) return false;
  if (is_error(code)) state_ = state::halted;
  if (!bring_to_front(*position)) return false;
  descriptor& d = oldest();
  const u32 actual = bytes_until(d, *position, residual);
  switch (code) {
    case completion::success:
    case completion::short_packet:
      if (d.control && *position != d.last) {
        d.short_actual = actual;  // the status stage is still to come
        return false;
      }
      if (code == completion::success && *position != d.last) return false;
      finish({}, d.control ? d.short_actual.value_or(d.length) : actual);
      return true;
    case completion::stopped:
    case completion::stopped_length_invalid:
    case completion::stopped_short_packet:
      return false;  // the task that has stopped the endpoint ends the transfers
    default:
      finish(fail(code == completion::stall ? error::epipe : error::eio), actual);
      return true;
  }
}

void transfer_queue::settle(const usb::transfer& t) {
  while (!t.done && count_) finish({}, oldest().length);
}

void transfer_queue::fail_all(error why) {
  if (running()) state_ = state::stopped;
  while (count_) finish(fail(why), 0);
}

}  // namespace xhci
