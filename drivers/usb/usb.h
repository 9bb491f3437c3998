// usb.h: the interface between host controllers and class drivers. A class driver (storage/)
// includes this and never xhci/; a host controller implements it.
//
// The names are those of the USB 3.2 specification, chapter 9. Every wait has a deadline. When the
// device is unplugged, it ends at once with enodev: a controller need not complete a transfer that
// is in flight at a pull.
//
// One task serves a device from plug to pull (attend in core.h). Only that task calls the functions
// below, so they need no lock.
#pragma once

#include <array>
#include <span>

#include "hal/dma.h"
#include "hal/wait.h"
#include "lib/endian.h"
#include "lib/ids.h"
#include "lib/result.h"
#include "lib/time.h"

namespace usb {

// The values are the speed IDs that xHCI uses if a controller defines no others (7.2.2.1.1).
// `super_plus` is every speed above SuperSpeed.
enum class speed : u8 { none = 0, full = 1, low = 2, high = 3, super = 4, super_plus = 5 };

// The eight bytes of a SETUP packet (9.3).
struct setup_packet {
  u8 request_type = 0;
  u8 request = 0;
  le16 value{};
  le16 index{};
  le16 length{};
};
static_assert(sizeof(setup_packet) == 8);

// An endpoint of the configured interface.
struct endpoint {
  u8 address = 0;  // bEndpointAddress: number, bit 7 set for IN
  u8 attributes = 0;
  u16 max_packet_size = 0;
  u8 max_burst = 0;  // SuperSpeed companion; 0 otherwise
  constexpr bool is_in() const { return (address & 0x80) != 0; }
  constexpr bool is_bulk() const { return (attributes & 3) == 2; }
};

// What an endpoint has room for at the same time: one transfer of max_transfer_pieces, and
// max_small_transfers of one piece each. A piece is a part of a segment: a segment is cut at each
// multiple of DMA_BOUNDARY.
constexpr u32 max_transfer_pieces = 512, max_small_transfers = 2;
// The length of the piece that begins at address `at`; `length` bytes of its segment are left
// there.
constexpr u32 piece_at(u64 at, u32 length) {
  const u32 room = DMA_BOUNDARY - static_cast<u32>(at % DMA_BOUNDARY);
  return length < room ? length : room;
}
inline u32 count_pieces(std::span<const dma_segment> segments) {
  u32 pieces = 0;
  for (const dma_segment& segment : segments)
    for (u32 done = 0; done < segment.length; ++pieces)
      done += piece_at(segment.address.value() + done, segment.length - done);
  return pieces;
}

// One bulk transfer: the memory to move, and the outcome. It must exist until it is done; until
// then the controller may read and write its memory.
struct transfer {
  u8 endpoint_address = 0;
  std::span<const dma_segment> segments;  // valid until done; of any lengths

  // A quiet transfer causes no interrupt and is not marked done when it succeeds. The submitter
  // learns of its success from a later transfer, and then calls settle(). An error or a short IN
  // transfer is reported as always.
  bool quiet = false;
  // The transfer that must succeed before this one can: a status needs its command. When it has
  // failed, wait() for this one returns at once with its error.
  const transfer* after = nullptr;

  bool done = false;
  // A short IN transfer is a success, too; `actual` tells its length. epipe: STALL, the endpoint is
  // halted. eio: any other error, the endpoint is halted as well. enodev: unplugged.
  // etimedout: taken back by cancel().
  result<void> outcome{};
  u32 actual = 0;  // bytes moved
};

// A device that is addressed and configured.
class device {
 public:
  virtual ~device() = default;

  // A control transfer on EP0. Sleeps until it is done or `timeout` has passed. Returns the number
  // of bytes moved, at most a page. Errors: epipe (STALL; EP0 is usable again), eio, etimedout,
  // enodev.
  virtual result<u32> control(const setup_packet& setup, std::span<byte> data,
                              duration timeout = 5_s) = 0;

  // Adds a bulk transfer to the queue of its endpoint. Never sleeps. Errors: enodev; epipe when the
  // endpoint has halted and nothing is queued any more that would go on after clear_halt(); enomem
  // when there is no room, which happens only beyond max_transfer_pieces and max_small_transfers.
  virtual result<void> submit(transfer& t) = 0;
  // Sleeps until the transfer is done, or a transfer in its chain of `after` has failed; returns
  // that outcome. At the deadline all transfers of its endpoint are cancelled: etimedout.
  virtual result<void> wait(transfer& t, instant deadline) = 0;
  // The caller knows that a quiet transfer has succeeded: it and those queued before it on its
  // endpoint are done. Never sleeps.
  virtual void settle(transfer& t) = 0;
  // Takes back all queued transfers of an endpoint (Stop Endpoint, Set TR Dequeue Pointer). Each is
  // done afterwards: with its own outcome if it had completed, otherwise with etimedout. Sleeps.
  virtual void cancel(u8 endpoint_address) = 0;
  // After a STALL or a transaction error: Reset Endpoint, Set TR Dequeue Pointer to behind the
  // failed transfer, and CLEAR_FEATURE(ENDPOINT_HALT). The transfers queued behind it go on.
  // Sleeps.
  virtual result<void> clear_halt(u8 endpoint_address) = 0;
  // Takes all transfers back, resets the port, and configures the device again. Sleeps.
  virtual result<void> reset() = 0;

  // Ends the use of a device that is gone or of no use. Afterwards the controller uses none of its
  // memory, every transfer is done, and the port is free for another device. May be called again.
  // Sleeps.
  virtual void release() = 0;

  virtual bool gone() const = 0;

  // Woken when the device goes and when a transfer completes. The class driver wakes it for its own
  // events, too, so its task sleeps in one place.
  wait_queue activity;
};

}  // namespace usb
