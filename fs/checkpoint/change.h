// block_change: the cache calls begin_change before each edit of a block and finish after it,
// without a sleep in between. So the shadow always has the content as of the last completed change
// (rule 2).
//
//   block_change change = begin_change(op, block, content, known);
//   …                                  the bytes change
//   std::move(change).finish(content, offset, length);
#pragma once

#include <span>
#include <utility>

#include "fs/checkpoint/operation.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// The result of begin_change. If it was allowed, finish must be called exactly once.
class [[nodiscard]] block_change {
 public:
  block_change(block_change&& other) noexcept = default;  // costs nothing on the way of each block
  block_change& operator=(block_change&&) = delete;

  // False: the set must not change now, and nothing was changed. Call wait_to_change, try again.
  bool allowed() const { return op_ != nullptr; }

  // Copies bytes [offset, offset + length) of the changed content into the shadow. Never sleeps.
  // Returns whether the buffer becomes dirty; false while the stick is away: the replay writes the
  // block.
  bool finish(std::span<const byte, BLOCK_SIZE> content, u32 offset, u32 length) &&;

 private:
  friend block_change begin_change(operation& op, block_nr block,
                                   std::span<const byte, BLOCK_SIZE> content, bool known);
  block_change() = default;
  block_change(operation& op, slot* s, bool fresh) : op_(&op), slot_(s), fresh_(fresh) {}

  operation* op_ = nullptr;
  slot* slot_ = nullptr;  // of the block; null when no shadow is taken of it
  bool fresh_ = false;    // the slot was taken just now and holds nothing yet
};

// Before an edit. `content` is the buffer's content; `known`: the medium has this content too
// (false for a block that was never read or is dirty). Takes a slot from the operation's room if
// the block has none; the content that may be on the medium is kept as a version. Never sleeps.
// Not allowed while a replay runs, when a flush is needed first, and on a dead volume.
block_change begin_change(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content,
                          bool known);

// Sleeps, uninterruptibly, while a replay runs; then flushes if the block has no room for one more
// version (with an absent stick: waits for its return). Errors: eio when the volume was given up or
// the flush failed.
result<void> wait_to_change(operation& op, block_nr block);

}  // namespace checkpoint
