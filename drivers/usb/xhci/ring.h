// Rings (xHCI 1.2, 4.9): queues of TRBs between driver and controller.
//
// A producer ring (commands, one per endpoint) is one or more segments, each ending in a Link TRB;
// the last Link leads back to the first segment and toggles the cycle. Whoever reads finds his end
// by the cycle bit alone: a TRB is the controller's when its cycle bit is the ring's.
//
// - Positions are indices over all segments, Links included; next() steps over a Link.
// - push() writes a TRB; publish() hands over all that was pushed since the last publish, by
//   storing the first one's cycle bit last. That store is the commit point.
// - retire() gives room back, in TRBs, Links not counted, as the oldest are done with.
// - It does not own its memory, which outlives it: what a device's rings need is reserved for its
//   port (attendant.h).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "drivers/usb/xhci/trb.h"
#include "hal/dma.h"
#include "lib/result.h"

namespace xhci {

// Memory for the segments of a producer ring, a page each; never sleeps. Errors: enomem.
result<void> allocate_segments(std::span<dma_buffer> segments);

class producer_ring {
 public:
  static constexpr u32 segment_trbs = 256;  // a page
  static constexpr u32 max_segments = 4;

  // Makes it an empty ring of these segments, which allocate_segments has filled and which outlive
  // it. Only while the controller does not read them.
  void use(std::span<const dma_buffer> segments);
  // Empties it and starts anew with cycle 1. Only when the controller does not look.
  void clear();

  // The most TRBs that a ring of so many segments holds: one place stays free.
  static constexpr u32 room_of(u32 segments) { return segments * (segment_trbs - 1) - 1; }
  bool has_room(u32 trbs) const { return used_ + trbs <= room_of(segments()); }
  // Whether the TRB pushed next is the last before a Link.
  bool before_link() const { return enqueue_ % segment_trbs == segment_trbs - 2; }
  u32 push(trb t);  // returns its position; there is room
  void publish();
  void retire(u32 trbs) { used_ -= trbs; }
  // Makes a published TRB one that does nothing.
  void neutralise(u32 position, trb_type no_op);

  u32 enqueue() const { return enqueue_; }
  u32 next(u32 position) const;
  // Steps from `from` to `to`, going round.
  u32 distance(u32 from, u32 to) const { return (to + capacity() - from) % capacity(); }
  std::optional<u32> position_of(u64 address) const;
  const trb& at(u32 position) const { return slot(position); }
  // What Set TR Dequeue and CRCR want: the address with the cycle state that the TRB there has or
  // will have.
  u64 pointer_to(u32 position) const;

 private:
  u32 segments() const { return static_cast<u32>(memory_.size()); }
  u32 capacity() const { return segments() * segment_trbs; }
  trb& slot(u32 position) const {
    return memory_[position / segment_trbs].as<trb>()[position % segment_trbs];
  }
  u64 address_of(u32 position) const {
    return memory_[position / segment_trbs].address().value() +
           position % segment_trbs * sizeof(trb);
  }
  void cross_link(bool chained);

  std::span<const dma_buffer> memory_;  // a segment each
  u32 enqueue_ = 0;
  u32 used_ = 0;
  bool cycle_ = true;
  bool withheld_ = false;  // a TD is begun and not published
  u32 first_ = 0;          // its first TRB
  bool first_cycle_ = true;
};

// The event ring: the controller writes, we read. One segment, for controllers whose ERST holds
// one.
class event_ring {
 public:
  static constexpr u32 size = 512;

  result<void> allocate();  // enomem
  bool is_allocated() const { return static_cast<bool>(table_); }
  void clear();
  // The next event, taken off the ring; nothing when there is none.
  std::optional<trb> pop();
  // The address of the event that pop() would look at: what ERDP wants.
  phys_addr dequeue_address() const { return ring_.address() + dequeue_ * sizeof(trb); }
  phys_addr segment_table() const { return table_.address(); }

 private:
  struct segment_entry {
    u64 address;
    u32 size;
    u32 reserved;
  };
  static_assert(sizeof(segment_entry) == 16);

  dma_buffer ring_, table_;
  u32 dequeue_ = 0;
  bool cycle_ = true;
};

}  // namespace xhci
