// block_device: a medium that is plugged in, from its arrival until it goes.
//
// A block_device is one *plug* of a medium: the same stick pulled and plugged again is a new
// block_device with a new attach epoch. A queued request, a good status and a flush belong to one
// epoch, so each belongs to one of these objects and cannot be taken for another's. The names
// (/dev/sda) are in genhd.h.
//
// A driver derives its class from block_device and implements request_fn. In a task of its own, or
// at once in request_fn, it does:
//     while (request* r = next_request()) end_request(*r, carry_out(*r));
// When the device goes away, the driver calls die(). Every queued request then ends with enodev,
// and so does every later submit. A request that the driver has in hand is ended by the driver,
// after die(): a caller that gets enodev finds gone() true. wait_unreferenced() returns when the
// object may be destroyed.
#pragma once

#include <array>
#include <span>

#include "drivers/block/buffer_head.h"
#include "lib/ids.h"

// How a medium describes itself. This can only exclude a stick, never identify one: descriptors may
// be wrong, and serial numbers may be missing or the same on several sticks.
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
// In memory the buffers may stand anywhere. Buffers that follow each other in memory as well form
// one piece; a piece ends at each multiple of DMA_BOUNDARY (hal/dma.h). The controller gets a
// descriptor for each piece.
struct request {
  block_command cmd = block_command::read;
  lba sector;
  u32 nr_sectors = 0;
  u32 nr_pieces = 0;
  intrusive_list<buffer_head, &buffer_head::b_request> buffers;
  list_link<request> link;
  bool in_use = false;
  // A flush has no buffers; the task that called flush() waits here.
  bool done = false;
  result<void> outcome{};
  wait_queue waiting;
};

// The requests that are queued or under way, of all devices.
u32 requests_in_use();

class block_device {
 public:
  virtual ~block_device() = default;
  block_device(const block_device&) = delete;
  block_device& operator=(const block_device&) = delete;

  static constexpr u32 NO_LIMIT = ~0u;

  // The driver fills these in before it announces the device; then they stay as they are.
  media_identity identity;
  // The largest request that the device can be sent, in sectors (SECTOR_SIZE) and in pieces.
  u32 max_sectors = 128;
  u32 max_pieces = NO_LIMIT;
  bool write_protected = false;
  bool removable = false;  // it can be pulled at any moment: its dirty blocks need shadows
  attach_epoch epoch;      // given by the block layer, each number once

  // Queues one block for I/O, merged with its neighbours where it can be. The buffer is unlocked
  // when this is called and locked when it returns. May sleep for a free request. A device that is
  // gone, a write to a protected one (erofs) or a block past the end (eio) ends the I/O at once
  // through b_end_io.
  void submit(block_command cmd, lba first, buffer_head& bh);

  // SYNCHRONIZE CACHE: makes durable every write that completed before this call. Sleeps; on a
  // device without that command, until the last write has had its time (settles_in). Success
  // means durable, if caches_lost() has not changed. Errors: enodev when the device went meanwhile,
  // eio. After a failed flush, a later successful flush proves nothing about the writes before the
  // failure: the device may have dropped what it could not write.
  result<void> flush();

  bool gone() const { return gone_; }
  // How many times so far the device may have lost its write cache; each failed flush counts. A
  // flush makes a write durable only if this number stays the same from before the write completed
  // until after the flush.
  u32 caches_lost() const { return caches_lost_; }

  // A caller that keeps a pointer to the device over a sleep must hold a reference: the object is
  // destroyed when the device has gone and no reference is left. Every call of this class that
  // sleeps holds a reference of its own meanwhile. hold() and drop() never sleep.
  void hold() { ++references_; }
  void drop();

  // --- for the driver ---
  // Takes the next request off the queue; null when the queue is empty. The request belongs to the
  // driver until end_request. Never sleeps.
  request* next_request();
  // Ends a request: unlocks its buffers, calls b_end_io for each, wakes the waiting tasks, and
  // frees the request. Never sleeps.
  void end_request(request& r, result<void> outcome);
  // Ends the first block of a request that has further ones; these stay with the driver. Never
  // sleeps.
  void end_first_block(request& r, result<void> outcome);
  // The device may have lost completed writes from its write cache: it was reset, or it reports
  // that an earlier command failed. The driver calls this before it ends the request during which
  // it learned of that. A failed flush is counted by end_request.
  void cache_lost() { ++caches_lost_; }
  // The device cannot be told to make its writes durable: each is so by itself this time after it
  // has completed. To be called before the end of the flush that has found it out. Never sleeps.
  void settles_in(duration time) { settling_time_ = time; }
  // The device is gone: every queued request ends with enodev. May be called again. Never sleeps.
  void die();
  // Sleeps until no reference is held. False at the deadline.
  bool wait_unreferenced(instant deadline = never);

 protected:
  block_device();
  // The book's request_fn, called when a request was added to the queue. It makes the driver look
  // at the queue. May not sleep.
  virtual void request_fn() = 0;

 private:
  result<void> admit(block_command cmd, lba first) const;
  request* find_free_request();
  request* get_request();
  void free_request(request& r);
  bool merge(block_command cmd, lba first, buffer_head& bh);
  bool before(const request& a, const request& b) const;
  void add_request(request& r);
  void wait_until_settled();

  intrusive_list<request, &request::link> queue_;
  lba position_;  // where the last request taken off the queue ended
  bool gone_ = false;
  u32 caches_lost_ = 0;
  duration settling_time_{};    // 0: a flush makes writes durable
  instant last_write_ = never;  // the last one completed then; known since settles_in
  wait_queue settling_;         // flushes that wait until then
  u32 requests_held_ = 0;
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

// Reads whole blocks, beginning at sector `first`, directly from the device into `to`; no cache is
// used. `to` is memory from allocate_pages. Sleeps. Errors: eio, enodev.
result<void> read_blocks(block_device& device, lba first, std::span<byte> to);
