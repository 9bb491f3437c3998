// A volume: one stick under one name, through its absences. docs/checkpoint.md, A stick's life.
//
//                 arrival               pulled
//   (no volume) ───────────▶ live ─────────────────▶ absent ◀──────────────────────┐
//        ▲                    ▲                      │  ▲                          │ pulled
//        │                    │               arrival│  │another stick, or pulled  │
//        │                    │                      ▼  │                          │
//        │                    └─────── replay ◀───── verify ─────────────────▶ conflict
//        │                      durable │  ▲                                       │
//        │                              │  └───────────────────────────────────────┘ force
//        │                              └──▶ absent, when pulled or refused by the stick
//        │ released: nothing held, nothing mounted
//        └──────── dead ◀──────── absent, conflict: hold is over, umount -f, ckpt drop (give_up)
//
// From the pull until the volume is live or dead again its set is *sealed*: no new operation
// begins, so it cannot grow; an operation that had begun completes inside its reservation (rule 4).
// Everything here runs in task context; nothing sleeps unless it says so.
#pragma once

#include <array>
#include <string_view>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/region.h"
#include "hal/wait.h"

namespace checkpoint {

enum class volume_state : u8 { none, live, absent, verify, replay, conflict, dead };

// Whose data stands in the set, for the day it must be said that it is lost.
struct file_note {
  dev_id dev;
  ino_nr inode;
  std::array<char, 64> path{};
};
constexpr u32 NR_FILE_NOTES = 64;

struct volume {
  volume_state state = volume_state::none;
  dev_id disk;
  media_identity identity;
  partition_table partitions{};
  block_device* device = nullptr;     // the plug, while live or in replay
  block_device* candidate = nullptr;  // conflict: the stick that was refused; a reference is held
  u32 mounts = 0;                     // mounted file systems
  u32 operations = 0;                 // begun and not ended

  slot_list set;              // every block that is dirty or written and not yet durable
  write_stamp last_stamp;     // of the latest completed write
  write_stamp flushed_stamp;  // everything up to it is durable
  u32 caches_lost = 0;        // the device's counter when the last flush ended

  instant pulled_at;
  instant remind_at = never;  // when the console next says that the stick is missed
  std::array<file_note, NR_FILE_NOTES> files{};
  u32 nr_files = 0;
  wait_queue changed;  // woken at every change of state
};

// Whether shadows are taken at all: not with hold=0 at boot.
bool enabled();

extern std::array<volume, NR_DISKS> volumes;  // one for each name of a disk
inline std::span<volume> all_volumes() { return volumes; }
// The volume that a name belongs to; null when there is none (a device that cannot be pulled).
inline volume* volume_of(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  if (dev.major() != MAJOR_DISK || index >= NR_DISKS) return nullptr;
  return volumes[index].state == volume_state::none ? nullptr : &volumes[index];
}

// Not readable or writable now, and not given up either. True from the moment that its device is
// gone, a little before the volume is told of it.
inline bool away(const volume& v) {
  if (v.state == volume_state::live) return v.device->gone();
  return v.state != volume_state::dead;
}
// Whether anything would be lost, or left half done, if it never came back.
bool missed(const volume& v);
// Its set is being compared or written and must not change.
inline bool being_replayed(const volume& v) {
  return v.state == volume_state::verify || v.state == volume_state::replay;
}
u32 held_blocks(const volume& v);
// When it is given up; `never` while nothing waits for it.
instant expires_at(const volume& v);
std::string_view volume_name(const volume& v);

void set_state(volume& v, volume_state state);
// Its stick is out, or useless, from now on: the full time to come back, and the first reminder.
void become_absent(volume& v);

// --- transitions, each called from one place
// arrival: a new name for a medium that nobody is waiting for.
volume* add_volume(block_device& device, const partition_table& partitions);
// pulled: seals the set and takes its checksums; a volume that nobody misses is released.
void pulled(volume& v);
// give_up: what is held is discarded, once, and the files are named on the console.
void give_up(volume& v);
// released: nothing held, nothing mounted, no stick: the name is free.
void release_if_unused(volume& v);

// Notes that a file has data in the set.
void note_file(volume& v, dev_id dev, ino_nr inode, const char* path);

// The set is empty: no file has data in it any more. Those of operations that go on stay noted, for
// an operation notes its file only once.
void forget_files(volume& v);

// A stick that was given up with blocks unwritten, remembered by how it describes itself.
struct tombstone {
  media_identity identity;
  u32 blocks = 0;
};
void bury(const volume& v);
// How many blocks this medium lost while it was away; 0 for one that we never missed.
u32 buried_blocks(const media_identity& identity);
void forget_tombstone(const media_identity& identity);

}  // namespace checkpoint
