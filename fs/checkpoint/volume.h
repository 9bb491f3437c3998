// A volume: one stick under one name, through its absences. docs/checkpoint.md, A stick's life.
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
//        │                              └──▶ absent: replay_failed (pulled, or the stick refused)
//        │
//        └──── dead ◀──── absent, conflict: expired (hold is over), dropped (umount -f, ckpt)
//
// An absent volume with nothing held and nothing mounted is released at once. A verification that
// ends while a refused stick is still plugged in ends in conflict again.
//
// Only volume.cc changes a state, and only along these arrows: each is a function below, of the
// name that stands beside it.
//
// From the pull until the volume is live or dead again its set is *sealed*: no new operation
// begins, so it cannot grow; an operation that had begun completes inside its reservation (rule 4).
// Everything here runs in task context; nothing sleeps unless it says so.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/file_notes.h"
#include "fs/checkpoint/region.h"
#include "hal/wait.h"

namespace checkpoint {

enum class volume_state : u8 { none, live, absent, verify, replay, conflict, dead };

struct volume {
  volume_state state = volume_state::none;
  dev_id disk;
  media_identity identity;
  partition_table partitions{};
  block_device* device = nullptr;   // the plug, while live
  block_device* refused = nullptr;  // the stick that was refused: a reference is held
  u32 mounts = 0;                   // mounted file systems
  u32 operations = 0;               // begun and not ended

  slot_list set;              // every block that is dirty or written and not yet durable
  write_stamp last_stamp;     // of the latest completed write
  write_stamp flushed_stamp;  // everything up to it is durable
  u32 caches_lost = 0;        // the device's counter when the last flush ended
  bool rewrite_due = false;   // slots of the set are lost: the region writes them first

  instant pulled_at;
  instant remind_at = never;  // when the console next says that the stick is missed
  file_notes files;           // that have data in the set
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

// Whether shadows are taken at all: not with hold=0 at boot.
bool shadows_enabled();
void enable_shadows(bool enable);

// --- questions

// Not readable or writable now, and not given up either. True from the moment that its device is
// gone, a little before the volume is told of it.
inline bool away(const volume& v) {
  if (v.state == volume_state::live) return v.device->gone();
  return v.state != volume_state::dead;
}
// Its stick is out, or was refused: one that arrives may be it.
inline bool is_missing(const volume& v) {
  return v.state == volume_state::absent || v.state == volume_state::conflict;
}
// Its set is being compared or written and must not change.
inline bool being_replayed(const volume& v) {
  return v.state == volume_state::verify || v.state == volume_state::replay;
}
// Whether anything would be lost, or left half done, if its stick never came back.
inline bool has_unfinished_work(const volume& v) { return !v.set.empty() || v.operations > 0; }
inline u32 held_blocks(const volume& v) { return v.set.size(); }
// When it is given up; `never` while nothing waits for it.
instant expires_at(const volume& v);
std::string_view volume_name(const volume& v);

// --- waiting

// Sleeps while the set must not change. Bounded: a replay ends by success, by an error, or by the
// next pull.
void wait_while_replayed(volume& v);
// Sleeps until the volume is live. `begun`: inside an operation, which must be finished, so only
// giving the volume up ends the wait; otherwise interruptibly and at most io_wait. Errors: eio (too
// long, or given up), eintr.
result<void> wait_until_live(volume& v, bool begun);

// --- transitions

// none → live: a name for a medium that no volume is waiting for. Null when no name is free.
volume* arrived(block_device& device, const partition_table& partitions);

// live → absent: its device is gone. Seals the set and takes its checksums. A volume that nothing
// waits for is released; with hold=0 it is given up.
void pulled(volume& v);

// absent, conflict → verify, for as long as this lives: a stick is compared with what the volume
// must find on it. refused() and begin_replay() lead on; otherwise the volume is missed as before.
class [[nodiscard]] verification {
 public:
  explicit verification(volume& v);
  verification(verification&& other) noexcept : volume_(std::exchange(other.volume_, nullptr)) {}
  verification& operator=(verification&&) = delete;
  ~verification();

 private:
  volume* volume_;
};

// verify → conflict: this stick is the missed one, and was changed elsewhere. Holds a reference to
// it; one that had been refused before is let go.
void refused(volume& v, block_device& device);
// conflict → absent: the refused stick was pulled. In another state it is only forgotten.
void refused_left(volume& v);
// The refused stick, with its reference: it is no longer refused. The caller replays to it.
block_device& take_refused(volume& v);

// verify, conflict → replay. A stick that is still refused is another one, then: it arrives once
// more.
void begin_replay(volume& v, block_device& device);
// replay → absent: the stick was pulled, or has refused blocks. All of them are still held.
void replay_failed(volume& v);
// replay → live: everything is durable on this device.
void replayed(volume& v, block_device& device);

// absent, conflict → dead: what is held is discarded, once, and the files are named. expired: hold
// is over. dropped: the user does not want to wait. A refused stick arrives once more, as another.
void expired(volume& v);
void dropped(volume& v);

// dead, absent → none: nothing held, nothing mounted, no stick; the name is free. Otherwise nothing
// happens.
void release_if_unused(volume& v);

// The set is empty: no file has data in it any more. Those of operations that go on stay noted, for
// an operation notes its file only once.
void forget_files(volume& v);

}  // namespace checkpoint
