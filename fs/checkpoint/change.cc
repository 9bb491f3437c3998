#include "fs/checkpoint/change.h"

#include <cstring>

#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

namespace {

// Takes a slot for a block that has none; its content is filled by finish. If `known`, the medium
// has `content`, which becomes the first version.
slot& first_shadow(operation& op, volume& v, block_nr block,
                   std::span<const byte, BLOCK_SIZE> content, bool known) {
  slot& s = take_slot(op.dev(), block, v.set, op.room());
  story::tell(story::event::shadowed, op.dev(), block, s.number);
  s.base_known = known;
  if (known) push_version(s, content, write_stamp{});
  return s;
}

// The slot's content is about to change. If the medium may have it, it becomes a version.
void remember_content(slot& s) {
  if (in_flight(s))
    tear(s);  // the device may be writing it while it changes
  else if (may_stand_on_medium(s))
    push_version(s, s.bytes(), s.written);
  s.written = {};
  s.state = slot_state::held;
}

// Whether a change needs one more version and all are used: a flush makes room.
bool needs_flush(const slot& s) {
  return versions_full(s) && !in_flight(s) && may_stand_on_medium(s);
}

}  // namespace

block_change begin_change(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content,
                          bool known) {
  volume* v = op.shadowed();
  if (!v) {
    op.begin_step();
    return block_change(op, nullptr, false);
  }
  if (being_replayed(*v) || v->state == volume_state::dead) return {};
  if (slot* s = find_slot(op.dev(), block)) {
    if (needs_flush(*s)) return {};
    op.begin_step();
    remember_content(*s);
    return block_change(op, s, false);
  }
  op.begin_step();
  return block_change(op, &first_shadow(op, *v, block, content, known), true);
}

bool block_change::finish(std::span<const byte, BLOCK_SIZE> content, u32 offset, u32 length) && {
  const operation& op = *op_;
  if (!slot_) return true;
  slot& s = *slot_;
  kassert(s.dev == op.dev() && s.state == slot_state::held);
  // An empty slot needs the unchanged bytes too.
  if (fresh_) offset = 0, length = BLOCK_SIZE;
  std::memcpy(s.content + offset, content.data() + offset, length);
  s.owner = op.owner();
  if (!away(*op.shadowed())) return true;
  s.checksum = crc32c(s.bytes());
  return false;
}

result<void> wait_to_change(operation& op, block_nr block) {
  volume& v = *op.shadowed();
  wait_while_replayed(v);
  if (v.state == volume_state::dead) return fail(error::eio);
  const slot* s = find_slot(op.dev(), block);
  if (!s || !needs_flush(*s)) return {};
  const result<void> flushed = barrier(op.dev());
  // Pulled: the replay makes room for another version.
  if (!flushed && flushed.error() == error::enodev) return require_stick(op.dev());
  s = find_slot(op.dev(), block);
  return s && needs_flush(*s) ? flushed : result<void>{};  // the error may be another block's
}

}  // namespace checkpoint
