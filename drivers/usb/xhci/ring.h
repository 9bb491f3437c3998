// Rings (xHCI 1.2, 4.9): queues of TRBs between driver and controller.
//
// A producer ring (one for commands, one for each endpoint) has one or more segments. Each ends
// with a Link TRB; the last Link leads back to the first segment and toggles the cycle. The reader
// finds the end of the ring by the cycle bit alone: a TRB belongs to the controller when its cycle
// bit equals the ring's cycle state.
//
// - A position is an index over all segments, Links included; next() steps over a Link. A Link may
//   stand before the end of its segment; what is between them stays unused.
// - push() writes a TRB. publish() hands over all TRBs that were pushed since the last publish():
//   it stores the cycle bit of the first one last. That store is the commit point.
// - retire() gives the room of the oldest TRBs back; Links are not counted.
// - A ring does not own its memory: the memory of a device's rings is reserved for its port
//   (attendant.h).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "drivers/usb/xhci/trb.h"
#include "hal/dma.h"
#include "lib/result.h"

namespace xhci {

// Allocates the segments of a producer ring, a page each. Never sleeps. Errors: enomem.
result<void> allocate_segments(std::span<dma_buffer> segments);

class producer_ring {
 public:
  static constexpr u32 segment_trbs = 256;  // a page
  static constexpr u32 max_segments = 4;

  // Makes it an empty ring with these segments. They come from allocate_segments and must outlive
  // the ring. Only while the controller does not read them.
  void use(std::span<const dma_buffer> segments);
  // Empties the ring; its cycle state is 1 again. Only while the controller does not read it.
  void clear();

  // The number of TRBs that a ring with so many segments holds: one place stays free.
  static constexpr u32 room_of(u32 segments) { return segments * (segment_trbs - 1) - 1; }
  bool has_room(u32 trbs) const { return used_ + trbs <= room_of(segments()); }
  // How many TRBs can be pushed before the next Link.
  u32 room_before_link() const { return segment_trbs - 1 - enqueue_ % segment_trbs; }
  u32 push(trb t);  // returns the TRB's position; the caller has checked has_room
  // Goes on in the next segment: the Link stands where the next TRB would. `chained`: in the middle
  // of a TD. Returns how many TRBs stay unused; they count until they are retired.
  u32 skip_to_next_segment(bool chained);
  void publish();
  void retire(u32 trbs) { used_ -= trbs; }
  // Replaces a published TRB by one that does nothing.
  void neutralise(u32 position, trb_type no_op);

  u32 enqueue() const { return enqueue_; }
  u32 next(u32 position) const;
  // The number of steps from `from` to `to`.
  u32 distance(u32 from, u32 to) const { return (to + capacity() - from) % capacity(); }
  std::optional<u32> position_of(u64 address) const;
  const trb& at(u32 position) const { return slot(position); }
  // The value for Set TR Dequeue Pointer and CRCR: the address, with the cycle bit that the TRB
  // there has or will have.
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
  u32 segment_behind(u32 position) const {
    return (position / segment_trbs + 1) % segments() * segment_trbs;
  }

  std::span<const dma_buffer> memory_;  // a segment each
  u32 enqueue_ = 0;
  u32 used_ = 0;
  bool cycle_ = true;
  bool withheld_ = false;  // TRBs have been pushed and not published
  u32 first_ = 0;          // the first of them
  bool first_cycle_ = true;
};

// The event ring: the controller writes, the driver reads. It has one segment, because the ERST of
// some controllers has one entry.
class event_ring {
 public:
  // Never full before the driver has read it: a port has one change to tell, and its device at most
  // two events for each transfer in its queues.
  static constexpr u32 size = 512;

  result<void> allocate();  // enomem
  bool is_allocated() const { return static_cast<bool>(table_); }
  void clear();
  // Takes the next event off the ring; nothing when there is none.
  std::optional<trb> pop();
  // The address of the event that pop() will read next: the value for ERDP.
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
