#include "fs/checkpoint/change.h"

#include <cstring>

#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "lib/crc32c.h"

namespace checkpoint {

namespace {

slot& first_shadow(operation& op, volume& v, block_nr block,
                   std::span<const byte, BLOCK_SIZE> content, bool known) {
  slot& s = take_slot(op.dev(), block, v.set, op.room());
  story::tell(story::event::shadowed, op.dev(), block, s.number);
  s.base_known = known;
  if (known) push_version(s, content, write_stamp{});
  return s;
}

// The content that is about to be changed may stand on the medium: remember it.
void remember_content(slot& s) {
  if (in_flight(s)) s.torn = true;  // it changes on its way there
  if (may_stand_on_medium(s)) push_version(s, s.bytes(), s.written);
  s.written = {};
  s.state = slot_state::held;
}

// There is no room to remember one more content that may stand on the medium.
bool needs_flush(const slot& s) {
  return s.nr_versions == NR_VERSIONS && !in_flight(s) && may_stand_on_medium(s);
}

}  // namespace

std::optional<block_change> begin_change(operation& op, block_nr block,
                                         std::span<const byte, BLOCK_SIZE> content, bool known) {
  volume* v = op.shadowed();
  if (!v) return block_change(op, nullptr, false);
  if (being_replayed(*v) || v->state == volume_state::dead) return {};
  if (slot* s = find_slot(op.dev(), block)) {
    if (needs_flush(*s)) return {};
    remember_content(*s);
    return block_change(op, s, false);
  }
  return block_change(op, &first_shadow(op, *v, block, content, known), true);
}

bool block_change::finish(std::span<const byte, BLOCK_SIZE> content, u32 offset, u32 length) && {
  const operation& op = *std::exchange(op_, nullptr);
  if (!slot_) return true;
  slot& s = *slot_;
  kassert(s.dev == op.dev() && s.state == slot_state::held);
  if (fresh_) offset = 0, length = BLOCK_SIZE;  // what was not changed is new to it too
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
  // Pulled: the replay will make room for another version.
  if (!flushed && flushed.error() == error::enodev) return wait_until_live(v, true);
  return flushed;
}

}  // namespace checkpoint
