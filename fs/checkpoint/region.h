// The region: memory for shadows, divided into slots of one block each. A slot also stores which
// earlier contents of its block may be on the medium. Nothing here sleeps.
//
//            begin_change          issued              written
//       free ─────────────▶ held ─────────────▶ issued ─────────────▶ written
//        ▲                 ▲  ▲ ◀── written: failed ─┘                 │  │  │
//        │                 │  └────────── begin_change ───────────────┘  │  │ lose_written
//        │                 └───────────── begin_change ─────────── lost ◀┘──┘
//        │                                                         │  ▲
//        │                                               write_set ▼  │ failed
//        │                                                     rewriting ──▶ written
//        └──────────────────── durable (a flush) ◀── written
//
// held: the buffer is dirty, and the cache writes it (while the stick is away: the replay does).
// lost: the buffer is clean, as its write had completed; but the device may have dropped the
// content, or a repeated write of it failed, also a replay's. write_set writes the slot, without
// the cache; at a replay, all slots.
//
// The content of a slot is what its block must become on the medium (rule 2). The versions of a
// slot are the other contents that the medium may have: the last durable content, and each content
// that was issued since and then changed (rule 5). Of a version only hashes are kept, one per
// sector. A write that may have moved only a part of the content, or a mixture of two, *tears* the
// block: its sectors may have anything, until a flush proves a write that was complete and later.
#pragma once

#include <array>
#include <span>

#include "hal/wait.h"
#include "lib/ids.h"
#include "lib/intrusive_list.h"
#include "lib/types.h"

namespace checkpoint {

constexpr u32 NR_VERSIONS = 4;  // a change that needs a fifth waits for a flush

// The number of a completed write of the volume. Writes up to the number at the start of a flush
// are durable when the flush succeeds. 0: no write of this content has completed. 64 bits, as
// stamps are compared: a stick that is written all the time completes 2^32 writes in a few days.
using write_stamp = strong_id<struct write_stamp_tag, u64>;

// One content that the medium may have: a hash of each sector, and the write that brought it there.
struct content_version {
  std::array<u64, SECTORS_PER_BLOCK> sectors;
  write_stamp written;
};

// The number of a reservation; no two reservations ever have the same one. 0: none.
using reservation_nr = strong_id<struct reservation_nr_tag, u64>;

enum class slot_state : u8 { free, held, issued, written, lost, rewriting };

struct slot {
  slot_state state = slot_state::free;
  bool base_known = false;  // versions include the last durable content
  bool refused = false;     // the device has answered the last write with an error
  u8 nr_versions = 0;
  dev_id dev;
  block_nr block;
  ino_nr owner;         // the inode that the block belongs to; 0: the file system itself
  write_stamp written;  // the completed write of this content; 0: none
  u32 checksum = 0;     // crc32c of the content, taken at the seal
  std::array<content_version, NR_VERSIONS> versions;  // the first nr_versions are set
  u32 number = 0;  // the slot's index in the region, for messages
  byte* content = nullptr;
  list_link<slot> hash_link;
  list_link<slot> volume_link;  // its volume's set, oldest first; the free list otherwise
  reservation_nr charged_to;    // the reservation it was taken from, which may have ended since

  std::span<byte, BLOCK_SIZE> bytes() const {
    return std::span<byte, BLOCK_SIZE>(content, BLOCK_SIZE);
  }
};

// Whether the device may be writing the slot now.
inline bool in_flight(const slot& s) {
  return s.state == slot_state::issued || s.state == slot_state::rewriting;
}
// Whether the block waits for another try: the device has refused it, or may have dropped it.
inline bool is_stuck(const slot& s) { return s.refused || s.state == slot_state::lost; }
// Whether the present content was written completely, so that the medium may have it.
inline bool may_stand_on_medium(const slot& s) { return s.written != write_stamp{}; }

using slot_list = intrusive_list<slot, &slot::volume_link>;

// Makes a region of `slots`; 0: an eighth of memory. Called once at boot.
void make_region(u32 slots);
u32 region_size();  // in slots
u32 slots_in_use();

// Slots promised to one operation before it takes any (rule 1). A slot that it takes stays charged
// to it until it ends. If that slot becomes free meanwhile (a barrier made its block durable, or
// the block was freed), it is promised to the same operation again, which may dirty the block once
// more. So at every moment: slots promised and not taken + slots taken and still in use = granted.
class [[nodiscard]] reservation {
 public:
  reservation() = default;
  reservation(reservation&& other) noexcept;
  reservation& operator=(reservation&&) = delete;
  ~reservation() {
    if (link.linked()) end();  // else nothing was granted, or moved from
  }

  // Promises `slots` slots. False, and nothing is promised, when the region has fewer left.
  bool grant(u32 slots);
  u32 granted() const { return granted_; }
  u32 not_taken() const { return granted_ - in_use_; }

  list_link<reservation> link;  // the reservations that have not ended

 private:
  friend slot& take_slot(dev_id dev, block_nr block, slot_list& set, reservation& room);
  friend void free_slot(slot& s, slot_list& set);
  friend void check_region_invariants();

  void end();

  // The reservation that the slot is charged to; null when it has ended.
  static reservation* of(const slot& s);

  reservation_nr number_;
  u32 granted_ = 0;
  u32 in_use_ = 0;  // slots taken from it that are not free again
};

// Slots that are free and promised to no operation.
u32 unreserved();
// Its sleepers are woken whenever slots become unreserved.
wait_queue& room_made();
// kasserts that every slot is either free, or in use and found by its block, that each reservation
// counts the slots charged to it, and that the promised slots are free ones. For tests and for gdb.
void check_region_invariants();

// The slot of a block; null when it has none.
slot* find_slot(dev_id dev, block_nr block);
// Takes a free slot for a block that has none, from the promised room; the state is held, the
// content is not set. kasserts that the room has a slot left.
slot& take_slot(dev_id dev, block_nr block, slot_list& set, reservation& room);
// The block's shadow is not needed any more. A slot charged to a running operation is promised to
// it again.
void free_slot(slot& s, slot_list& set);

// The keyed hash by which contents of sectors are remembered.
u64 hash_of(std::span<const byte, SECTOR_SIZE> sector);

// Whether the versions say what the medium may have, and there is no room for another one.
inline bool versions_full(const slot& s) { return s.base_known && s.nr_versions == NR_VERSIONS; }
// Adds `content` to the versions: the medium may have it, and the slot's content is about to
// change. kasserts that they are not full. While the base is not known, the oldest one makes room:
// the medium may have anything then, and the next base will be one of the later versions.
void push_version(slot& s, std::span<const byte, BLOCK_SIZE> content, write_stamp written);
// The medium may have anything in this block: neither the base nor a version is known any more.
// Call it when no write of the block can come later than the one that has torn it and be pushed
// before.
void tear(slot& s);
// The device may have dropped the written content: the slot is lost and torn.
void lose_written(slot& s);
// The same for the versions written after `flushed`: the medium may have them, but no flush will
// prove it.
void lose_versions_after(slot& s, write_stamp flushed);
// A flush succeeded: the writes after `plugged` (those of this plug) and up to `stamp` are durable.
// The newest version of them is the last durable content; older versions cannot be on the medium
// any more and are removed.
void forget_versions_before(slot& s, write_stamp plugged, write_stamp stamp);
// Whether the medium may have any bytes in this block: in flight, or the last durable content is
// not known (also as it is torn). Then nothing that is read there can tell one medium from another.
bool may_hold_anything(const slot& s);
// Whether the medium may have these bytes as sector `index` of the block (rule 5): they equal the
// content or a version, or it may have any.
bool may_hold(const slot& s, u32 index, std::span<const byte, SECTOR_SIZE> medium);

}  // namespace checkpoint
