// block_device: what is plugged in now, from its arrival until it goes.
//
// A block_device is one *plug* of a medium: the same stick pulled and plugged again is a new
// block_device with a new attach epoch. So whatever belongs to an epoch – a queued request, a good
// status, a flush – belongs to one of these objects, and cannot be taken for another's. Names
// (/dev/sda) are genhd.h's.
//
// A driver derives from it, implements request_fn and, in a task of its own or at once:
//     while (request* r = next_request()) end_request(*r, carry_out(*r));
// When the device goes away: die(). Every queued request then ends with enodev, and so does every
// later submit; the driver ends the one that it has in hand, after die(), so that nobody is told
// enodev by a device that is not gone(). wait_unreferenced() tells when it may be reused.
#pragma once

#include <array>
#include <span>

#include "drivers/block/buffer_head.h"
#include "lib/ids.h"

// How a medium describes itself. It only filters: descriptors lie, and serial numbers are missing
// or shared.
struct media_identity {
  u16 vendor_id = 0;               // USB idVendor
  u16 product_id = 0;              // USB idProduct
  std::array<char, 9> vendor{};    // INQUIRY, trimmed, NUL-terminated
  std::array<char, 17> product{};  // INQUIRY, trimmed, NUL-terminated
  std::array<char, 64>
      serial{};     // USB iSerialNumber, printable ASCII, NUL-terminated; empty if none
  u32 sectors = 0;  // capacity in SECTOR_SIZE
  bool operator==(const media_identity&) const = default;
};

using attach_epoch = strong_id<struct attach_epoch_tag, u32>;

enum class block_command : u8 { read, write, flush };

// A list of buffers that are contiguous on the device, in the order of their sectors; or a flush.
//
// In memory they stand anywhere. Buffers that follow one another there too are one piece of memory,
// which ends at each multiple of DMA_BOUNDARY (hal/dma.h): a device is told of every piece.
struct request {
  block_command cmd = block_command::read;
  lba sector;
  u32 nr_sectors = 0;
  u32 nr_pieces = 0;
  intrusive_list<buffer_head, &buffer_head::b_request> buffers;
  list_link<request> link;
  bool in_use = false;
  // A flush has no buffers; its caller waits here.
  bool done = false;
  result<void> outcome{};
  wait_queue waiting;
};

class block_device {
 public:
  virtual ~block_device() = default;
  block_device(const block_device&) = delete;
  block_device& operator=(const block_device&) = delete;

  static constexpr u32 NO_LIMIT = ~0u;

  // Facts, filled in by the driver before it announces the device, constant from then on.
  media_identity identity;
  // The largest request that it can be sent, in bytes (SECTOR_SIZE) and in pieces of memory.
  u32 max_sectors = 128;
  u32 max_pieces = NO_LIMIT;
  bool write_protected = false;
  bool removable = false;  // can go at any moment: its dirty blocks need shadows
  attach_epoch epoch;      // given by the block layer, never twice

  // Queues one block for I/O, merged with its neighbours where it can be. The buffer is unlocked
  // when this is called and locked when it returns. May sleep for a free request. A device that is
  // gone, a write to a protected one (erofs) or a block past the end (eio) ends the I/O at once
  // through b_end_io.
  void submit(block_command cmd, lba first, buffer_head& bh);

  // Makes durable every write that completed before this call: SYNCHRONIZE CACHE. Sleeps. Success
  // means durable, unless caches_lost() says otherwise; enodev when the device went meanwhile,
  // which is never success. After a failed flush the next one does not prove anything about the
  // writes before: the device may have dropped what it could not write.
  result<void> flush();

  bool gone() const { return gone_; }
  // How often its write cache may have been lost so far, failed flushes included. A write is
  // durable by a flush only if this did not change from before the write completed until after the
  // flush.
  u32 caches_lost() const { return caches_lost_; }

  // A pointer that is kept over a sleep needs a reference: a device that goes meanwhile is
  // destroyed only when there is none. Every call here holds one of its own while it sleeps. Never
  // sleep.
  void hold() { ++references_; }
  void drop();

  // --- for the driver ---
  // Takes the next request off the queue, null when there is none. It is the driver's until
  // end_request.
  request* next_request();
  // Ends a request: unlocks its buffers, tells b_end_io, wakes the waiters, frees the slot.
  void end_request(request& r, result<void> outcome);
  // What the write cache held may be lost, though the writes had completed: the device was reset,
  // or it reports that an earlier command failed. To be called before the end of the request that
  // brought the news. A flush that fails counts by itself.
  void cache_lost() { ++caches_lost_; }
  // The device is gone: fails what is queued. Never sleeps. Idempotent.
  void die();
  // Sleeps until nobody holds a reference. False at the deadline.
  bool wait_unreferenced(instant deadline = never);

 protected:
  block_device();
  // The book's request_fn: the queue is no longer empty. Starts the driver; may not sleep.
  virtual void request_fn() = 0;

 private:
  result<void> admit(block_command cmd, lba first) const;
  request* get_request();
  bool merge(block_command cmd, lba first, buffer_head& bh);
  bool before(const request& a, const request& b) const;
  void add_request(request& r);

  intrusive_list<request, &request::link> queue_;
  lba position_;  // where the last request taken off the queue ended
  bool gone_ = false;
  u32 caches_lost_ = 0;
  u32 references_ = 0;
  wait_queue unreferenced_;
};

// A reference for the length of a scope.
class [[nodiscard]] device_reference {
 public:
  explicit device_reference(block_device& device) : device_(device) { device_.hold(); }
  ~device_reference() { device_.drop(); }
  device_reference(const device_reference&) = delete;
  device_reference& operator=(const device_reference&) = delete;

 private:
  block_device& device_;
};

// Reads whole blocks from `first` on straight from the device, past every cache. `to` is memory
// that allocate_pages gave out. Sleeps. Errors: eio, enodev.
result<void> read_blocks(block_device& device, lba first, std::span<byte> to);
