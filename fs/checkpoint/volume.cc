#include "fs/checkpoint/volume.h"

#include <algorithm>

#include "drivers/block/media_event.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/settings.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/tombstone.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

constinit std::array<volume, NR_DISKS> volumes{};

namespace {

constinit bool taking_shadows = true;
constinit u32 changes = 0;
constinit wait_queue changed_anywhere{};
constexpr duration FIRST_REMINDER = 2_s;  // no report for a stick that comes back sooner
constexpr i64 PATIENCE = 10;              // times `hold`

// Whether the diagram in volume.h has an arrow from one state to the other.
bool is_arrow(volume_state from, volume_state to) {
  using enum volume_state;
  switch (from) {
    case none: return to == live;
    case live: return to == absent || to == degraded;
    case degraded: return to == absent || to == live;
    case absent: return to == verify || to == dead || to == none;
    case verify: return to == absent || to == conflict || to == replay;
    case replay: return to == absent || to == live || to == degraded;
    case conflict: return to == verify || to == absent || to == replay || to == dead || to == none;
    case dead: return to == none;
  }
  return false;
}

void enter(volume& v, volume_state state) {
  kassert(is_arrow(v.state, state));
  v.state = state;
  ++changes;
  wake_up(v.changed);
  wake_up(changed_anywhere);
}

// How long a set is kept at most for a stick that comes back again and again and takes nothing.
duration longest_hold() {
  constexpr i64 for_ever = INT64_MAX / 2;  // so that an instant can be added
  return {std::min(current_settings().hold.ns, for_ever / PATIENCE) * PATIENCE};
}

void start_hold(volume& v) {
  v.pulled_at = now();
  v.stood_still = v.stood_locked = {};
  v.still_since = never;
  v.candidate = nullptr;
  v.hindrance = obstacle::none;
}

void stop_hold(volume& v) { v.still_since = std::min(v.still_since, now()); }

void continue_hold(volume& v) {
  if (v.still_since == never) return;
  const duration stood = now() - std::exchange(v.still_since, never);
  v.stood_still = v.stood_still + stood;
  if (v.hindrance == obstacle::write_protected) v.stood_locked = v.stood_locked + stood;
}

void become_absent(volume& v) {
  v.device = nullptr;
  v.remind_at = now() + FIRST_REMINDER;
  enter(v, volume_state::absent);
}

// At a pull: a slot in flight may be torn; each slot gets a checksum, which the replay compares.
void seal(volume& v) {
  for (slot& s : v.set) {
    if (in_flight(s)) tear(s);
    s.checksum = crc32c(s.bytes());
  }
}

bool refuses_blocks(const volume& v) {
  for (const slot& s : v.set)
    if (s.refused) return true;
  return false;
}

void discard_set(volume& v) {
  while (slot* s = v.set.front()) {
    story::tell(story::event::discarded, s->dev, s->block, s->number);
    free_slot(*s, v.set);
  }
  v.files.clear();
}

// The refused stick, if there is one, is announced again as an arrival, and its reference is
// dropped.
void let_refused_go(volume& v) {
  block_device* stick = std::exchange(v.refused, nullptr);
  if (!stick) return;
  media_arrived(*stick);
  stick->drop();
}

void give_up(volume& v) {
  story::tell_stick(story::event::given_up, v.disk);
  upward().tell_loss(v);
  for (const slot& s : v.set) v.places.forget_block(address_of(v, s));
  if (held_blocks(v) > 0) bury(v.identity, v.places, held_blocks(v));
  discard_set(v);
  enter(v, volume_state::dead);
  upward().discard(v.disk);
  let_refused_go(v);
  release_if_unused(v);
}

}  // namespace

bool shadows_enabled() { return taking_shadows; }
void enable_shadows(bool enable) { taking_shadows = enable; }

instant expires_at(const volume& v) {
  if (!is_missing(v) || !has_unfinished_work(v)) return never;
  switch (v.hindrance) {
    case obstacle::none: return v.pulled_at + current_settings().hold + v.stood_still;
    case obstacle::write_protected: return never;
    case obstacle::unreadable: return v.pulled_at + longest_hold() + v.stood_locked;
  }
  return never;
}

u32 stuck_blocks(const volume& v) {
  u32 count = 0;
  for (const slot& s : v.set) count += is_stuck(s);
  return count;
}

std::string_view volume_name(const volume& v) {
  return v.identity.product[0] ? v.identity.product.data() : "USB stick";
}

void wait_while_replayed(volume& v) {
  while (being_replayed(v)) sleep_on(v.changed);
}

void wait_until_live(volume& v) {
  while (away(v) && v.state != volume_state::none) sleep_on(v.changed);
}

u32 state_changes() { return changes; }
wait_queue& any_change() { return changed_anywhere; }

// --- transitions

volume* arrived(block_device& device, const partition_table& partitions,
                const fingerprint& places) {
  const result<dev_id> disk = add_disk(device, partitions);
  if (!disk) return nullptr;
  volume& v = volumes[disk->minor() / MINORS_PER_DISK];
  kassert(v.state == volume_state::none && v.set.empty() && v.digests.empty());
  kassert(v.operations == 0);
  v.disk = *disk;
  v.identity = device.identity;
  v.partitions = partitions;
  v.places = taking_shadows ? places : fingerprint{};  // without shadows nothing keeps it true
  v.device = &device;
  v.uses = 0;
  v.files.clear();
  v.last_stamp = {};
  v.plugged_stamp = {};
  v.flushed_stamp = {};
  v.caches_lost = device.caches_lost();
  v.rewrite_due = false;
  enter(v, volume_state::live);
  return &v;
}

void pulled(volume& v) {
  story::tell_stick(story::event::pulled, v.disk);
  detach_disk(v.disk);
  seal(v);
  start_hold(v);
  v.progress_at = v.pulled_at;
  become_absent(v);
  const u32 unwritten = upward().let_go(v.disk);
  if (!taking_shadows && unwritten > 0)
    printk("LOST: %s: %u unwritten blocks (hold=0)\n", disk_name(v.disk).data(), unwritten);
  if (current_settings().hold == duration{}) return give_up(v);  // as without checkpoint
  release_if_unused(v);
}

verification::verification(volume& v) : volume_(&v) {
  stop_hold(v);
  enter(v, volume_state::verify);
}

verification::~verification() {
  if (!volume_ || volume_->state != volume_state::verify) return;
  if (volume_->hindrance == obstacle::none) continue_hold(*volume_);
  enter(*volume_, volume_->refused ? volume_state::conflict : volume_state::absent);
  release_if_unused(*volume_);
}

void refused(volume& v, block_device& device, doubt reason) {
  if (v.refused) v.refused->drop();
  device.hold();
  v.refused = &device;
  v.reason = reason;
  if (v.hindrance == obstacle::none) continue_hold(v);
  enter(v, volume_state::conflict);
  release_if_unused(v);
}

void refused_left(volume& v) {
  std::exchange(v.refused, nullptr)->drop();
  if (v.state == volume_state::conflict) enter(v, volume_state::absent);
  release_if_unused(v);
}

block_device& take_refused(volume& v) { return *std::exchange(v.refused, nullptr); }

void begin_replay(volume& v, block_device& device) {
  let_refused_go(v);
  v.caches_lost = device.caches_lost();
  v.plugged_stamp = v.last_stamp;
  stop_hold(v);
  enter(v, volume_state::replay);
}

void replay_failed(volume& v) {
  if (v.last_stamp != v.plugged_stamp) v.progress_at = now();
  if (now() - v.progress_at < longest_hold())
    start_hold(v);
  else
    continue_hold(v);
  become_absent(v);
  release_if_unused(v);
}

void replayed(volume& v, block_device& device) {
  for (slot& s : v.set) s.state = slot_state::lost;  // also one whose write was never sent
  v.rewrite_due = !v.set.empty();
  v.device = &device;
  reattach_disk(v.disk, device);
  v.blocks_stuck = held_blocks(v);
  enter(v, v.set.empty() ? volume_state::live : volume_state::degraded);
}

void hindered(volume& v, block_device& device, obstacle why) {
  // The right one is there, locked: another one that cannot be read changes nothing.
  if (v.hindrance == obstacle::write_protected && v.candidate != &device) return;
  v.candidate = &device;
  v.hindrance = why;
  stop_hold(v);
}

void hindrance_over(volume& v, const block_device& device) {
  if (v.candidate != &device) return;
  continue_hold(v);
  v.candidate = nullptr;
  v.hindrance = obstacle::none;
}

void degrade(volume& v) { enter(v, volume_state::degraded); }
void recover(volume& v) { enter(v, volume_state::live); }

void judge_health(volume& v, const result<void>& outcome) {
  if (!has_device(v) || away(v)) return;
  const bool was_degraded = v.state == volume_state::degraded;
  const u32 stuck = stuck_blocks(v);
  const bool is_degraded = stuck > 0 && (!outcome || refuses_blocks(v));
  const u32 stuck_before = std::exchange(v.blocks_stuck, is_degraded ? stuck : 0);
  if (is_degraded && !was_degraded) degrade(v);
  if (!is_degraded && was_degraded) recover(v);
  if (is_degraded != was_degraded || v.blocks_stuck > stuck_before) upward().tell_health(v);
}

void expired(volume& v) { give_up(v); }
void dropped(volume& v) { give_up(v); }

void release_if_unused(volume& v) {
  if (!(v.state == volume_state::dead || is_missing(v)) || has_unfinished_work(v)) return;
  wake_up(v.changed);  // umount may wait for the end of the last operation
  if (v.uses > 0) return;
  let_refused_go(v);
  upward().discard(v.disk);
  release_disk(v.disk);
  enter(v, volume_state::none);
}

void forget_files(volume& v) {
  if (v.operations == 0) v.files.clear();
}

}  // namespace checkpoint
