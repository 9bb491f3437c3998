#include "drivers/usb/xhci/ring.h"

#include <cstring>

#include "hal/panic.h"

namespace xhci {

namespace {

// Stores the word with the cycle bit at once, after all other words of the TRB.
void store_control(trb& to, u32 control) { *static_cast<volatile u32*>(&to.control) = control; }

void store(trb& to, const trb& from, u32 control) {
  to.parameter = from.parameter;
  to.status = from.status;
  dma_write_barrier();
  store_control(to, control);
}

}  // namespace

result<void> allocate_segments(std::span<dma_buffer> segments) {
  for (dma_buffer& segment : segments)
    segment = TRY(dma_buffer::allocate(producer_ring::segment_trbs * sizeof(trb), 4096));
  return {};
}

void producer_ring::use(std::span<const dma_buffer> segments) {
  kassert(!segments.empty() && segments.size() <= max_segments);
  memory_ = segments;
  clear();
}

void producer_ring::clear() {
  for (u32 i = 0; i < segments(); ++i) {
    std::memset(memory_[i].bytes().data(), 0, memory_[i].bytes().size());
    const bool last = i + 1 == segments();
    memory_[i].as<trb>()[segment_trbs - 1] = link_trb(memory_[last ? 0 : i + 1].address(), last);
  }
  enqueue_ = used_ = first_ = 0;
  cycle_ = true;
  withheld_ = false;
  dma_write_barrier();
}

u32 producer_ring::push(trb t) {
  kassert(has_room(1));
  const u32 position = enqueue_;
  const bool first = !withheld_;
  if (first) {
    withheld_ = true;
    first_ = position;
    first_cycle_ = cycle_;
  }
  const bool cycle = first ? !cycle_ : cycle_;
  store(slot(position), t, trb_control::cycle::set(t.control, cycle));
  ++used_;
  ++enqueue_;
  if (enqueue_ % segment_trbs == segment_trbs - 1) cross_link(trb_control::chain::in(t.control));
  return position;
}

// Of the TRBs that stay unused the cycle bit changes as if they had been pushed: otherwise they
// would belong to the controller the next time round.
u32 producer_ring::skip_to_next_segment(bool chained) {
  const u32 unused = room_before_link();
  for (u32 at = enqueue_ + 1; at % segment_trbs != segment_trbs - 1; ++at)
    store(slot(at), trb{}, trb_control::cycle::set(0, cycle_));
  trb& last = slot(enqueue_ + unused);
  store_control(last, trb_control::cycle::set(last.control, cycle_));
  slot(enqueue_) = trb{last.parameter, last.status,
                       trb_control::cycle::set(last.control, !cycle_)};  // not handed over yet
  used_ += unused;
  cross_link(chained);
  return unused;
}

// A Link is handed to the controller only when the driver passes it. In the middle of a TD it needs
// the chain bit, too (4.11.7).
void producer_ring::cross_link(bool chained) {
  trb& link = slot(enqueue_);
  u32 control = trb_control::chain::set(link.control, chained);
  control = trb_control::cycle::set(control, cycle_);
  dma_write_barrier();
  store_control(link, control);
  enqueue_ = segment_behind(enqueue_);
  if (trb_control::toggle_cycle::in(control)) cycle_ = !cycle_;
}

void producer_ring::publish() {
  if (!withheld_) return;
  withheld_ = false;
  trb& first = slot(first_);
  dma_write_barrier();
  // From this store on the controller owns the whole TD.
  store_control(first, trb_control::cycle::set(first.control, first_cycle_));
}

void producer_ring::neutralise(u32 position, trb_type no_op) {
  trb& t = slot(position);
  store(t, trb{}, type_bits(no_op) | (t.control & trb_control::cycle::mask));
}

u32 producer_ring::next(u32 position) const {
  const bool is_link = type_of(slot(position + 1)) == trb_type::link;
  return is_link ? segment_behind(position) : position + 1;
}

std::optional<u32> producer_ring::position_of(u64 address) const {
  for (u32 i = 0; i < segments(); ++i) {
    const u64 base = memory_[i].address().value();
    if (address >= base && address < base + segment_trbs * sizeof(trb) &&
        (address - base) % sizeof(trb) == 0)
      return i * segment_trbs + static_cast<u32>((address - base) / sizeof(trb));
  }
  return std::nullopt;
}

u64 producer_ring::pointer_to(u32 position) const {
  const bool cycle = position == enqueue_ ? cycle_ : trb_control::cycle::in(slot(position).control);
  return address_of(position) | (cycle ? 1 : 0);
}

result<void> event_ring::allocate() {
  ring_ = TRY(dma_buffer::allocate(size * sizeof(trb), 4096));
  table_ = TRY(dma_buffer::allocate(sizeof(segment_entry), 64));
  clear();
  return {};
}

void event_ring::clear() {
  std::memset(ring_.bytes().data(), 0, ring_.bytes().size());
  *table_.as<segment_entry>() = {ring_.address().value(), size, 0};
  dequeue_ = 0;
  cycle_ = true;
  dma_write_barrier();
}

std::optional<trb> event_ring::pop() {
  const trb& head = ring_.as<trb>()[dequeue_];
  const u32 control = *static_cast<const volatile u32*>(&head.control);
  if (trb_control::cycle::in(control) != cycle_) return std::nullopt;
  dma_read_barrier();
  const trb event{head.parameter, head.status, control};
  if (++dequeue_ == size) {
    dequeue_ = 0;
    cycle_ = !cycle_;
  }
  return event;
}

}  // namespace xhci
