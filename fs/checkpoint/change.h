// block_change: a block is about to be changed, and was. The cache brackets every edit of a block
// with it, and nothing sleeps in between, so that the shadow always holds the content as of the
// last completed modification (rule 2).
//
//   std::optional<block_change> change = begin_change(op, block, content, known);
//   …                                  the bytes change
//   std::move(*change).finish(content, offset, length);
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "fs/checkpoint/operation.h"
#include "hal/panic.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// What begin_change has prepared. It is finished exactly once.
class [[nodiscard]] block_change {
 public:
  block_change(block_change&& other) noexcept
      : op_(std::exchange(other.op_, nullptr)), slot_(other.slot_), fresh_(other.fresh_) {}
  block_change& operator=(block_change&&) = delete;
  ~block_change() { kassert(!op_); }

  // The block was changed since begin_change: [offset, offset + length) of its content is new.
  // Never sleeps. Returns whether the buffer is to be written (false while the stick is away: the
  // replay will do it).
  bool finish(std::span<const byte, BLOCK_SIZE> content, u32 offset, u32 length) &&;

 private:
  friend std::optional<block_change> begin_change(operation& op, block_nr block,
                                                  std::span<const byte, BLOCK_SIZE> content,
                                                  bool known);
  block_change(operation& op, slot* s, bool fresh) : op_(&op), slot_(s), fresh_(fresh) {}

  operation* op_;
  slot* slot_;  // of the block; null when no shadow is taken of it
  bool fresh_;  // the slot was taken just now and holds nothing yet
};

// The block is about to be changed. `content` is what the buffer holds, `known` whether that is
// what the medium holds or will hold (not so for a block that was never read). Takes the block's
// slot if it has none. Never sleeps. Nothing, and nothing was done: wait_to_change, then try again.
std::optional<block_change> begin_change(operation& op, block_nr block,
                                         std::span<const byte, BLOCK_SIZE> content, bool known);

// Sleeps while a replay runs or a flush is needed. Errors: eio when the volume has been given up.
result<void> wait_to_change(operation& op, block_nr block);

}  // namespace checkpoint
