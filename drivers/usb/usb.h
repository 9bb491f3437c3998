// usb.h: the one place where host controllers and class drivers meet. A class driver (storage/)
// sees this and never xhci/; a host controller implements it.
//
// Names are the USB 3.2 specification's, chapter 9. Every wait has a deadline and ends at once,
// with enodev, when the device is unplugged: no controller completes a transfer in flight at a
// pull.
//
// One task serves a device from plug to pull (core.h's attend): it alone calls what stands here, so
// nothing below needs a lock.
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

// An endpoint takes at once: one transfer whose segments are so many pieces, each cut where it
// would cross a multiple of DMA_BOUNDARY, and so many transfers of one piece.
constexpr u32 max_transfer_pieces = 512, max_small_transfers = 2;
// The length of the piece that begins at `at`, `length` bytes before the segment's end.
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

// One bulk transfer: memory to move, and how it went. The submitter owns it until it is done; until
// then the controller may read and write its memory.
struct transfer {
  u8 endpoint_address = 0;
  std::span<const dma_segment> segments;  // valid until done; of any lengths

  // No interrupt and no news when it succeeds: its submitter learns that from what the device says
  // next, and then settles it. An error or a short IN transfer is told as always.
  bool quiet = false;
  // The transfer without which this one cannot come about (a status needs its command): wait()
  // returns early, with that one's error, when it has failed.
  const transfer* after = nullptr;

  bool done = false;
  // Success also for a short IN transfer: `actual` tells. epipe: STALL, the endpoint is halted.
  // eio: transaction error or babble, halted too. enodev: unplugged. etimedout: taken back by
  // cancel().
  result<void> outcome{};
  u32 actual = 0;  // bytes moved
};

// A device that is addressed and configured; made by the core, dies with the unplug.
class device {
 public:
  virtual ~device() = default;

  // EP0. Sleeps until done or `timeout` has passed. Returns the bytes moved, at most a page.
  // Errors: epipe (STALL; EP0 is usable again), eio, etimedout, enodev.
  virtual result<u32> control(const setup_packet& setup, std::span<byte> data,
                              duration timeout = 5_s) = 0;

  // Queues a bulk transfer on its endpoint behind those already there. Never sleeps. Errors:
  // enodev; enomem when there is no room, which happens only beyond max_transfer_pieces and
  // max_small_transfers.
  virtual result<void> submit(transfer& t) = 0;
  // Sleeps until the transfer is done, or one that it comes after has failed; returns that outcome.
  // At the deadline everything on its endpoint is cancelled: etimedout.
  virtual result<void> wait(transfer& t, instant deadline) = 0;
  // A quiet transfer, and those before it on its endpoint, are known to have succeeded.
  virtual void settle(transfer& t) = 0;
  // Takes back every queued transfer of an endpoint (Stop Endpoint, Set TR Dequeue); each is done
  // with etimedout or, if it had completed, its own outcome. Sleeps.
  virtual void cancel(u8 endpoint_address) = 0;
  // After a STALL or a transaction error: Reset Endpoint, Set TR Dequeue past the failed transfer,
  // and CLEAR_FEATURE(ENDPOINT_HALT). Transfers queued behind the failed one go on. Sleeps.
  virtual result<void> clear_halt(u8 endpoint_address) = 0;
  // Resets the port and configures the device anew; all transfers are taken back before. Sleeps.
  virtual result<void> reset() = 0;

  // Lets go of a device that is gone, or that nobody wants any more: when it returns, the
  // controller touches none of its memory, every transfer is done, and the port is free for the
  // next one. Sleeps. Idempotent.
  virtual void release() = 0;

  virtual bool gone() const = 0;

  // Woken when the device goes and when a transfer completes. The class driver wakes it for news of
  // its own, so that its task sleeps in one place.
  wait_queue activity;
};

}  // namespace usb
