// transfer_queue: the transfers of one endpoint, from the TRBs on its ring to their outcomes.
//
// It uses rings and events, but no registers: the caller rings doorbells and gives commands. Events
// come from an interrupt handler, so every call must be made under an irq_guard.
//
// - The controller executes a ring in order. So an event for a transfer shows that all transfers
//   queued before it have ended, also quiet ones, for which no event comes.
// - A short IN transfer is done at its first event. Hardware sends a second event, for the TRB that
//   asked for an interrupt; QEMU does not. The second one belongs to no transfer and is dropped.
#pragma once

#include <array>
#include <optional>

#include "drivers/usb/usb.h"
#include "drivers/usb/xhci/ring.h"

namespace xhci {

// Before a Link in the middle of a TD there are whole bursts (4.11.7.1): the last piece is cut in
// two there, and the TRBs behind it stay unused. A burst has 16 KiB at most, and a piece mostly a
// sector at least.
constexpr u32 most_unused_trbs = 32;
// The largest number of TRBs that a transfer takes: one for each piece (6.4.1), and what the Links
// cost.
constexpr u32 most_trbs(u32 pieces) {
  constexpr u32 least_of_segment = producer_ring::segment_trbs - 3 - most_unused_trbs;
  return pieces == 1 ? 1 : pieces + (pieces / least_of_segment + 1) * (1 + most_unused_trbs);
}
// TD Size (4.11.2.4): the number of packets that are left after `done` of `total` bytes, at most
// 31; 0 in the last TRB.
u32 td_size(u32 done, u32 total, u32 max_packet);

class transfer_queue {
 public:
  static constexpr u32 max_transfers = 16;  // QEMU takes no more per endpoint

  // Makes it an empty queue, with a ring of these segments (ring.h). `max_burst`: how many packets
  // follow the first one of a burst.
  void open(std::span<const dma_buffer> segments, u32 max_packet, u32 max_burst = 0);
  void set_max_packet(u32 bytes) { max_packet_ = bytes; }

  // Errors: enomem when there is no room now.
  result<void> add(usb::transfer& t);
  result<void> add_control(usb::transfer& t, const usb::setup_packet& setup, phys_addr buffer);

  // A transfer event of this endpoint. Returns whether a transfer is done. An error halts the
  // endpoint, also when its transfer has been ended before.
  bool on_event(u64 trb_address, completion code, u32 residual);
  void settle(const usb::transfer& t);
  // Ends all queued transfers with this error. Only when the controller does not execute them any
  // more: then no event of this endpoint comes, and no irq_guard is needed.
  void fail_all(error why);

  bool empty() const { return count_ == 0; }
  bool running() const { return state_ == state::running; }
  bool halted() const { return state_ == state::halted; }
  // The controller knows where to go on: at resume_pointer().
  void set_running() { state_ = state::running; }
  // Where the controller must go on: at the oldest transfer, or at the place of the next one.
  u64 resume_pointer() const { return ring_.pointer_to(count_ ? oldest().first : ring_.enqueue()); }
  const producer_ring& ring() const { return ring_; }

 private:
  // The endpoint's state as commands and events tell it. Its context does not show it in time
  // (4.8.3).
  enum class state : u8 {
    running,  // or it begins to at the next doorbell
    stopped,  // at the place of a transfer that was taken back
    halted    // by an error
  };
  struct descriptor {
    usb::transfer* owner = nullptr;
    u32 first = 0, last = 0;  // positions
    u32 trbs = 0;
    u32 length = 0;  // bytes of data
    bool control = false;
    std::optional<u32> short_actual{};  // control: the data stage ended early
  };

  // The pieces of a transfer from a place in it on.
  struct pieces_to_come {
    std::span<const dma_segment> segments;  // the rest of them
    u32 done = 0;                           // of the first one

    u64 address() const { return segments.front().address.value() + done; }
    u32 length() const { return usb::piece_at(address(), segments.front().length - done); }
    void advance(u32 bytes);
  };

  const descriptor& oldest() const { return descriptors_[head_]; }
  descriptor& oldest() { return descriptors_[head_]; }
  void append(const descriptor& d);
  void push_until(u32 end, u32& done, pieces_to_come& pieces, descriptor& d);
  u32 bytes_before_link(pieces_to_come pieces, u32 left) const;
  bool bring_to_front(u32 position);
  u32 bytes_until(const descriptor& d, u32 position, u32 residual) const;
  void finish(result<void> outcome, u32 actual);

  producer_ring ring_;
  std::array<descriptor, max_transfers> descriptors_{};
  u32 head_ = 0, count_ = 0;
  u32 max_packet_ = 0, burst_ = 0;  // in bytes
  state state_ = state::running;
};

}  // namespace xhci
