// The buffer cache: getblk, bread, brelse and the two ways of synchronising (the book, 3.3.1.2
// and 5.6).
//
// - One head per (device, block): whoever wants a block shares it (b_count).
// - getblk finds the block or gives a clean, free head a new block; when none is clean it flushes a
//   device first: the forced, second way. It takes no inode lock, so it cannot wait for its own
//   caller.
// - Which head is taken next, and how the dirty ones are found, is a policy (buffer_policy.h). With
//   ours the cost follows the request and the dirty set, not the size of the cache.
// - buffer_ref is one use of a buffer; its destructor is brelse. No raw mutable pointer leaves it:
//   modify changes bytes, marks the buffer dirty and takes the shadow in one scope without a sleep
//   in between.
#pragma once

#include <span>
#include <utility>

#include "drivers/block/buffer_head.h"
#include "fs/checkpoint/change.h"
#include "lib/ids.h"
#include "lib/result.h"

// Gives up one use. Null is fine. Never sleeps, never writes.
void brelse(buffer_head* bh);

class [[nodiscard]] buffer_ref {
 public:
  buffer_ref() = default;
  explicit buffer_ref(buffer_head* bh) : bh_(bh) {}  // takes over one count
  buffer_ref(buffer_ref&& other) noexcept : bh_(std::exchange(other.bh_, nullptr)) {}
  buffer_ref& operator=(buffer_ref&& other) noexcept {
    if (this != &other) {
      brelse(bh_);
      bh_ = std::exchange(other.bh_, nullptr);
    }
    return *this;
  }
  ~buffer_ref() {
    if (bh_) brelse(bh_);
  }

  explicit operator bool() const { return bh_ != nullptr; }
  buffer_head* head() const { return bh_; }
  block_nr number() const { return bh_->b_blocknr; }
  std::span<const byte, BLOCK_SIZE> data() const {
    return std::span<const byte, BLOCK_SIZE>(bh_->b_data, BLOCK_SIZE);
  }
  // The block's bytes from `offset` as a T, which must have alignment 1 or stand aligned.
  template <class T>
  const T& as(u32 offset = 0) const {
    return *reinterpret_cast<const T*>(bh_->b_data + offset);
  }

  // Changes bytes [offset, offset + length) of a block that is uptodate: edit(std::span<byte>) may
  // not sleep. Then the buffer is dirty and its shadow taken. Sleeps *before* the edit while I/O on
  // the block is under way. Errors: eio when the volume has been given up (nothing was changed
  // then).
  template <class Edit>
  result<void> modify(operation& op, u32 offset, u32 length, Edit&& edit) {
    checkpoint::block_change change = TRY(begin_modify(op));
    std::forward<Edit>(edit)(std::span<byte>(bh_->b_data + offset, length));
    end_modify(std::move(change), offset, length);
    return {};
  }

  // The same for a whole block whose earlier content does not matter (it was never read): edit must
  // set every byte. Afterwards the block is uptodate.
  template <class Edit>
  result<void> overwrite(operation& op, Edit&& edit) {
    checkpoint::block_change change = TRY(begin_overwrite(op));
    std::forward<Edit>(edit)(std::span<byte>(bh_->b_data, BLOCK_SIZE));
    end_modify(std::move(change), 0, BLOCK_SIZE);
    return {};
  }

 private:
  result<checkpoint::block_change> begin_modify(operation& op);
  result<checkpoint::block_change> begin_overwrite(operation& op);
  void end_modify(checkpoint::block_change change, u32 offset, u32 length);

  buffer_head* bh_ = nullptr;
};

// The buffer of a block, which may hold old bytes: look at b_uptodate, or overwrite it. Sleeps,
// bounded. Errors: eio when no buffer could be freed (every one in use or unwritable), eintr while
// waiting.
result<buffer_ref> getblk(dev_id dev, block_nr block);

// The buffer with the block's content. Sleeps. An absent stick: what the cache or the region holds
// is served; else it waits for the stick at most io_wait (inside an operation: until it is given
// up). Errors: eio, eintr, enxio for a device or a block that does not exist.
result<buffer_ref> bread(dev_id dev, block_nr block);

// Starts to read a block that is not in the cache, for whoever will want it: the second half of the
// book's breada (which blocks, and when: fs/read_ahead.h). Neither waits for it nor makes room for
// it. False: the stick is away, the block is past the end, or no buffer is free.
bool start_read(dev_id dev, block_nr block);

// The bytes of a block that is in the cache with nothing under way, null otherwise: to be looked at
// now, for nothing holds them once the caller sleeps. A use like any other to the policy.
const byte* peek_block(dev_id dev, block_nr block);

// The buffer if it is in the cache; null otherwise. Waits while it is locked.
buffer_ref get_hash_table(dev_id dev, block_nr block);

// A block was freed: its content does not matter any more. Takes the dirty mark and the shadow
// away.
void forget_block(dev_id dev, block_nr block);
