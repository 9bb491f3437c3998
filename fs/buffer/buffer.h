// The buffer cache: getblk, bread, brelse and the two ways of synchronising (the book, 3.3.1.2 and
// 5.6).
//
// - A block has at most one buffer head; all its users share it (b_count).
// - getblk finds the block's head or gives a clean, free head the new block. When no head is clean
//   and free, it writes a device first: way 2, the forced way. This takes no inode lock, so it
//   cannot wait for a lock that its own caller holds.
// - A policy chooses the next head and finds the dirty ones (buffer_policy.h). With ours the cost
//   grows with the request and the dirty set, not with the size of the cache.
// - buffer_ref is one use of a buffer; its destructor is brelse. It gives no mutable pointer to its
//   users: modify changes bytes, marks the buffer dirty and updates the shadow, without a sleep
//   between these steps.
//
// Where a buffer head can come to mean another block, or lose its content, while a task sleeps with
// it:
//
//   name_buffer (from claim_free_buffer: getblk, start_read): a free head is given another
//     (device, block); b_uptodate is false. No other function changes b_dev or b_blocknr.
//     Guard: b_count, b_lock and b_dirt; a head with one of them is not free (name_buffer kasserts
//     it). get_hash_table raises b_count before it sleeps for b_lock, and compares b_dev and
//     b_blocknr afterwards. start_read gives up its use while its read is under way: b_lock guards
//     that.
//   discard_buffers (the volume is given up, or its name becomes free): all heads of the disk,
//     also those in use: b_uptodate is false. They keep their block. None is dirty since the pull.
//     Guard: none; the user notices. bread tests b_uptodate after each sleep, and checkpoint::dead
//     before it reads again; begin_modify answers eio; so does begin_overwrite on a dead volume
//     (where shadows are taken).
//   drop_clean_buffers (mount, umount; before a returning stick is compared): free heads only:
//     b_uptodate is false.
//     Guard: b_count, b_lock and b_dirt, any of them.
//   let_go_of_buffers (the stick was pulled): dirty heads become clean and keep their content. So
//     does a head whose write ends with enodev (end_buffer_io). A head that is not in use may now
//     be given another block.
//     Guard: the shadow in the region has the content; fill_buffer restores it from there.
//   forget_block (a block was freed): not dirty, b_uptodate is false, the shadow is freed.
//     Guard: it waits for b_lock. The caller (free_block) runs before the zone's bit is cleared,
//     so no other file uses the block yet. On a damaged file system two files may share it, and a
//     program may write to the block through the disk: begin_modify answers eio.
//   release_if_unused, then arrived: the name of a disk (b_dev) is given to another stick. Heads
//     of the old stick stay in the hash.
//     Guard: release_if_unused needs no mounts and no operations, and calls discard_buffers before
//     the name is free: every head is read again from the new stick. A task in block_read that
//     sleeps across this gets an error or reads the new stick.
//   peek_block returns a pointer without a use.
//     Guard: none across a sleep. The caller copies before it sleeps.
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
      if (bh_) brelse(bh_);
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
  // The block's bytes from `offset` (in bytes) as a T: T has alignment 1, or the offset is aligned
  // for T.
  template <class T>
  const T& as(u32 offset = 0) const {
    return *reinterpret_cast<const T*>(bh_->b_data + offset);
  }

  // Changes bytes [offset, offset + length) of a block that is uptodate, by edit(std::span<byte>),
  // which may not sleep. Then updates the shadow and marks the buffer dirty (not while the stick is
  // away: the replay writes the shadow). Sleeps only *before* the edit: while I/O on the block is
  // under way, a replay runs, or a flush is needed. Errors: eio when the volume was given up, the
  // flush failed, or the block was freed meanwhile; nothing is changed then.
  template <class Edit>
  result<void> modify(operation& op, u32 offset, u32 length, Edit&& edit) {
    checkpoint::block_change change = TRY(begin_modify(op));
    std::forward<Edit>(edit)(std::span<byte>(bh_->b_data + offset, length));
    end_modify(std::move(change), offset, length);
    return {};
  }

  // The same for a whole block, which need not be uptodate: edit must set every byte. Afterwards
  // the block is uptodate.
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
  void end_modify(checkpoint::block_change&& change, u32 offset, u32 length);

  buffer_head* bh_ = nullptr;
};

// The buffer of a block, without reading it: test b_uptodate, or overwrite it. Sleeps, bounded.
// Errors: eio when no buffer became free within 30 s (all are in use or cannot be written); eintr
// (not inside an operation).
result<buffer_ref> getblk(dev_id dev, block_nr block);

// The buffer with the block's content. Sleeps. With an absent stick: content in the cache or in the
// region is returned; otherwise error::absent (an operation in the midst of its changes waits for
// the stick instead). Errors: eio, eintr, enxio for a device or a block that does not exist.
result<buffer_ref> bread(dev_id dev, block_nr block);

// Starts to read a block that is not in the cache and returns: the second half of the book's
// breada. fs/read_ahead.h computes which blocks, and when. Does not wait for the read and writes no
// buffer to get room; may sleep until the block layer has a free request. True also when the block
// is in the cache or has a shadow. False: the stick is away, the block is past the end, or no
// buffer is free.
bool start_read(dev_id dev, block_nr block);

// The bytes of a block that is uptodate in the cache without I/O under way; null otherwise. Valid
// only until the caller sleeps, as the buffer gets no use. The policy counts the look as a use.
// Never sleeps.
const byte* peek_block(dev_id dev, block_nr block);

// The buffer of a block if it is in the cache, uptodate or not; empty otherwise. Sleeps while I/O
// on it is under way, uninterruptibly.
buffer_ref get_hash_table(dev_id dev, block_nr block);

// A block was freed, and its content is not needed any more: its buffer becomes clean and not
// uptodate, its shadow is freed. Sleeps while I/O on the block is under way or a replay runs.
void forget_block(dev_id dev, block_nr block);
