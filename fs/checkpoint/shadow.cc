#include "fs/checkpoint/shadow.h"

#include <cstring>

#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/region.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"

namespace checkpoint {

namespace {

// Sets the state of a slot after its write. A failed write that was sent leaves the sectors torn; a
// write that was not sent leaves the slot as before the write.
void settle_slot(volume& v, slot& s, result<void> outcome, bool sent) {
  if (s.state != slot_state::issued) return;  // the block was changed meanwhile
  if (outcome) {
    s.state = slot_state::written;
    s.written = v.last_stamp;
    s.refused = false;
  } else if (sent) {
    s.state = slot_state::held;
    s.written = {};
    tear(s);
    s.refused = outcome.error() != error::enodev;
  } else {
    // `written` is set if an earlier write of the same content had completed.
    s.state = s.written == write_stamp{} ? slot_state::held : slot_state::written;
  }
}

}  // namespace

bool shadowed(dev_id dev, block_nr block) { return find_slot(dev, block) != nullptr; }

bool restore(dev_id dev, block_nr block, std::span<byte, BLOCK_SIZE> to) {
  const slot* s = find_slot(dev, block);
  if (!s) return false;
  story::tell(story::event::restored, dev, block, s->number);
  std::memcpy(to.data(), s->content, BLOCK_SIZE);
  return true;
}

void issued(dev_id dev, block_nr block) {
  story::tell(story::event::queued, dev, block);
  slot* s = find_slot(dev, block);
  if (!s) return;
  s->state = slot_state::issued;
  write_begins(*volume_of(dev), *s);
}

void written(dev_id dev, block_nr block, result<void> outcome, bool sent) {
  if (outcome)
    story::tell(story::event::written, dev, block);
  else
    story::tell(story::event::failed, dev, block, static_cast<u32>(outcome.error()));
  slot* const s = find_slot(dev, block);
  if (!outcome && outcome.error() != error::enodev)
    upward().tell_refusal(dev, block, s ? s->owner : ino_nr{});
  volume* v = volume_of(dev);
  if (!v) return;
  if (outcome) ++v->last_stamp;
  if (s) settle_slot(*v, *s, outcome, sent);
}

void forget(dev_id dev, block_nr block) {
  story::tell(story::event::forgotten, dev, block);
  volume* v = volume_of(dev);
  if (!v) return;
  // A slot that the device may be reading must not become another block's.
  while (being_replayed(*v) || v->writing_slots > 0) sleep_on(v->changed);
  slot* s = find_slot(dev, block);
  if (!s) return;
  v->places.forget_block(address_of(*v, *s));
  free_slot(*s, v->set);
}

}  // namespace checkpoint
