// A volume: one stick under one name, also while the stick is away. docs/checkpoint.md, A stick's
// life.
//
//                 arrived               pulled
//   (no volume) ───────────▶ live ─────────────────▶ absent ◀──────────────────────┐
//        ▲                    ▲                      │  ▲                          │ refused_left
//        │           replayed │         verification │  │ ~verification: another   │
//        │                    │                      ▼  │ stick, or pulled         │
//        │                    └─────── replay ◀───── verify ─────────────────▶ conflict
//        │                       begin_replay           ▲     refused          │   │
//        │                              │ ▲             └──────────────────────┘   │
//        │                              │ │                verification            │
//        │                              │ └────────────────────────────────────────┘
//        │ release_if_unused            │                  begin_replay: ckpt force
//        │                              └──▶ absent: replay_failed (pulled)
//        │
//        └──── dead ◀──── absent, conflict: expired (hold is over), dropped (umount -f, ckpt)
//
// An absent volume with nothing held and without a use is released at once; so is one in
// conflict, and its refused stick is announced again as an arrival. A verification that ends while
// a refused stick is still plugged in ends in conflict again.
//
// A stick that refuses some of its blocks, or does not confirm that it keeps them, is *degraded*:
// read and written like a live one, but these blocks stay held and are tried again by each flush.
//
//   live ──▶ degraded       degrade: blocks were refused
//   replay ──▶ degraded     replayed: blocks are still held
//   degraded ──▶ live       recover: everything was taken
//   degraded ──▶ absent     pulled
//
// Only volume.cc changes a state, and only along these arrows. Each arrow is a function below with
// the name beside the arrow.
//
// From the pull until the volume is live or dead its set is *sealed*: no new operation begins; an
// operation that had begun completes inside its reservation (rule 4). Everything here runs in task
// context; a function sleeps only where its comment says so.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/file_notes.h"
#include "fs/checkpoint/fingerprint.h"
#include "fs/checkpoint/metadata_digest.h"
#include "fs/checkpoint/region.h"
#include "hal/wait.h"

namespace checkpoint {

enum class volume_state : u8 { none, live, degraded, absent, verify, replay, conflict, dead };

// Why a stick that is plugged in, and may be the missing one, cannot be taken back yet.
enum class obstacle : u8 {
  none,
  write_protected,  // it is the missing one, unchanged
  unreadable,       // it cannot be compared, and is tried again
};

// Why a stick that may be the missing one was refused.
enum class doubt : u8 {
  changed,    // it is the missing one, and was changed elsewhere
  formatted,  // likewise: what was on it is gone, so our blocks cannot be written any more
  unproven,   // nothing tells it from another one
};

struct volume {
  volume_state state = volume_state::none;
  dev_id disk;
  media_identity identity;
  partition_table partitions{};
  fingerprint places;               // what the medium has at a few places
  metadata_digest::list digests;    // what it has in the metadata of each mounted file system
  block_device* device = nullptr;   // of the stick that is plugged in, while live or degraded
  block_device* refused = nullptr;  // the stick that was refused: a reference is held
  doubt reason = doubt::changed;    // why it was refused
  u32 uses = 0;                     // objects of volume_use: the name is kept for them
  u32 operations = 0;               // begun and not ended

  slot_list set;              // slots of all blocks that are dirty, or written and not yet durable
  write_stamp last_stamp;     // of the last completed write
  write_stamp plugged_stamp;  // writes up to this one went to an earlier plug
  write_stamp flushed_stamp;  // writes up to this one are durable
  u32 caches_lost = 0;        // the device's counter when the last flush ended
  bool rewrite_due = false;   // slots of the set are lost: barrier writes them before it flushes
  u32 writing_slots = 0;      // calls of write_set that run: the device may be reading slots

  u32 blocks_stuck = 0;  // while degraded: how many the console has told

  instant pulled_at;                  // `hold` runs from here on
  instant progress_at;                // of the pull, or of the last replay that wrote a block
  duration stood_still;               // for how long it did not run
  duration stood_locked;              // of that: as the stick was write-protected
  instant still_since = never;        // since when it does not run
  block_device* candidate = nullptr;  // the stick because of which it does not run; compared only
  obstacle hindrance = obstacle::none;
  instant remind_at = never;  // when the console next reports that the stick is missing
  file_notes files;           // the files with data in the set
  wait_queue changed;         // woken at every change of state
};

extern std::array<volume, NR_DISKS> volumes;  // one for each name of a disk
inline std::span<volume> all_volumes() { return volumes; }
// The volume that a name belongs to; null when there is none (a device that cannot be pulled).
inline volume* volume_of(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  if (dev.major() != MAJOR_DISK || index >= NR_DISKS) return nullptr;
  return volumes[index].state == volume_state::none ? nullptr : &volumes[index];
}

// Whether shadows are taken: false after boot with hold=0.
bool shadows_enabled();
void enable_shadows(bool enable);

// --- questions

// Has a device: pulled() was not called yet.
inline bool has_device(const volume& v) {
  return v.state == volume_state::live || v.state == volume_state::degraded;
}
// Neither readable and writable now, nor given up. True from the moment that its device is gone,
// shortly before pulled() is called.
inline bool away(const volume& v) {
  if (has_device(v)) return v.device->gone();
  return v.state != volume_state::dead;
}
// Its stick is out or was refused: a stick that arrives may be the missing one.
inline bool is_missing(const volume& v) {
  return v.state == volume_state::absent || v.state == volume_state::conflict;
}
// Its set is being compared or written and must not change.
inline bool being_replayed(const volume& v) {
  return v.state == volume_state::verify || v.state == volume_state::replay;
}
// Whether blocks are held or an operation is running: work that needs the stick.
inline bool has_unfinished_work(const volume& v) { return !v.set.empty() || v.operations > 0; }
// How many blocks are not durable yet.
inline u32 held_blocks(const volume& v) { return v.set.size(); }
// The sector of the whole medium at which a block of a device (disk or partition) begins.
inline lba medium_address(const partition_table& partitions, dev_id dev, block_nr block) {
  return partitions[dev.minor() % MINORS_PER_DISK].first + block.value() * SECTORS_PER_BLOCK;
}
inline lba address_of(const volume& v, const slot& s) {
  return medium_address(v.partitions, s.dev, s.block);
}
// What is known of the medium: from now on the block of a slot is being written; it has become
// durable with its content.
inline void write_begins(volume& v, const slot& s) {
  const lba at = address_of(v, s);
  v.places.write_begins(s.dev, at);
  for (metadata_digest& d : v.digests) d.write_begins(s.dev, at);
}
inline void learn_durable(volume& v, const slot& s) {
  v.places.learn_block(address_of(v, s), s.bytes());
  for (metadata_digest& d : v.digests) d.learn_durable(s.dev, s.block, s.bytes());
}
// When it is given up; `never` while its stick is not missing, no work waits for it, or its stick
// is plugged in and write-protected. While its stick cannot be read: ten times `hold` after the
// pull.
instant expires_at(const volume& v);
// How many blocks wait for another try (is_stuck).
u32 stuck_blocks(const volume& v);
// The product name of the stick, or "USB stick".
std::string_view volume_name(const volume& v);

// --- waiting

// Sleeps, uninterruptibly, while the set must not change (verify, replay). Bounded: both end by
// success, by an error, or by the next pull.
void wait_while_replayed(volume& v);
// Sleeps, uninterruptibly, until the volume is live, was given up, or has lost its name. For an
// operation that must be completed.
void wait_until_live(volume& v);
// How many states have changed, of all volumes; its sleepers are woken at each. Never sleep.
u32 state_changes();
wait_queue& any_change();

// --- transitions

// none → live: gives a name to a medium that no volume is waiting for, and that has this content at
// the places. Null when no name is free.
volume* arrived(block_device& device, const partition_table& partitions,
                const fingerprint& places = {});

// live, degraded → absent: its device is gone. Seals the set and computes its checksums. A volume
// without held blocks, operations and uses is released; with hold=0 the volume is given up.
void pulled(volume& v);

// absent, conflict → verify, as long as this object exists: a stick is compared with what the
// volume must find on it. refused() and begin_replay() go on from verify; if neither was called,
// the destructor goes back to conflict (a refused stick is plugged in) or absent.
class [[nodiscard]] verification {
 public:
  explicit verification(volume& v);
  verification(verification&& other) noexcept : volume_(std::exchange(other.volume_, nullptr)) {}
  verification& operator=(verification&&) = delete;
  ~verification();

 private:
  volume* volume_;
};

// verify → conflict: nothing refutes that this stick is the missing one, and it is refused for this
// reason. Keeps a reference to it; drops the reference to a stick that was refused before. If
// nothing is held and nothing uses the volume, it is released at once.
void refused(volume& v, block_device& device, doubt reason = doubt::changed);
// conflict → absent: the refused stick was pulled. In another state only its reference is dropped.
void refused_left(volume& v);
// Returns the refused stick with its reference; the volume has no refused stick then. The caller
// replays to it and drops the reference.
block_device& take_refused(volume& v);

// verify, conflict → replay to `device`. If a stick is still refused, it is another one: it is
// announced again as an arrival.
void begin_replay(volume& v, block_device& device);
// replay → absent: the stick was pulled. `hold` starts anew; but not after ten times `hold` in
// which replays have written no block.
void replay_failed(volume& v);
// replay → live: everything is durable on this device; or → degraded: the blocks that are still
// held are lost slots, for barrier.
void replayed(volume& v, block_device& device);

// The stick may be the missing one, and cannot be taken back: `hold` stands still until
// hindrance_over is called for this stick. In any state.
void hindered(volume& v, block_device& device, obstacle why);
// The stick has left, or is looked at again. For another stick than the hindered one: does nothing.
void hindrance_over(volume& v, const block_device& device);

// live → degraded: the device does not take some blocks. degraded → live: it has taken them all.
void degrade(volume& v);
void recover(volume& v);
// At the end of a barrier with this outcome: degrades the volume if the device refuses blocks, or
// if the barrier has failed and blocks are lost; recovers it when no block waits for another try.
// News are reported. Does nothing without a device.
void judge_health(volume& v, const result<void>& outcome);

// absent, conflict → dead: the files that lose data are reported, and the set is discarded.
// expired: the time `hold` is over. dropped: the user gives it up. A refused stick is announced
// again as an arrival.
void expired(volume& v);
void dropped(volume& v);

// dead, absent, conflict → none: the name becomes free, if nothing is held, no operation runs and
// it has no use. If it has nothing but uses, the tasks that wait for `changed` are
// woken. Otherwise, and in other states, does nothing.
void release_if_unused(volume& v);

// The set is empty: clears the file notes. Not while an operation runs, as an operation notes its
// file only once.
void forget_files(volume& v);

}  // namespace checkpoint
