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

// The largest number of TRBs that a transfer takes: one for each piece (6.4.1), and one more for
// each Link, because a piece before a Link may be cut in two.
constexpr u32 most_trbs(u32 pieces) { return pieces + producer_ring::max_segments; }
// TD Size (4.11.2.4): the number of packets that are left after `done` of `total` bytes, at most
// 31; 0 in the last TRB.
u32 td_size(u32 done, u32 total, u32 max_packet);

class transfer_queue {
 public:
  static constexpr u32 max_transfers = 16;  // QEMU takes no more per endpoint

  // Makes it an empty queue, with a ring of these segments (ring.h).
  void open(std::span<const dma_buffer> segments, u32 max_packet);
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

  const descriptor& oldest() const { return descriptors_[head_]; }
  descriptor& oldest() { return descriptors_[head_]; }
  void append(const descriptor& d);
  bool bring_to_front(u32 position);
  u32 bytes_until(const descriptor& d, u32 position, u32 residual) const;
  void finish(result<void> outcome, u32 actual);

  producer_ring ring_;
  std::array<descriptor, max_transfers> descriptors_{};
  u32 head_ = 0, count_ = 0;
  u32 max_packet_ = 0;
  state state_ = state::running;
};

}  // namespace xhci
