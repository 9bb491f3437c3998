// The region: memory for shadows, cut into slots of one block each, and what each slot knows about
// its block's earlier lives on the medium.
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
// held: its buffer is dirty: the cache writes it (or, while the stick is away, the replay).
// lost: its buffer is clean, for it had been written; but the device may have dropped it since, or
// has refused it since. The region itself writes it, and so it does with all slots at a replay.
//
// The content of a slot is what its block must become (rule 2). Its versions are what the medium
// may hold instead: the last durable content, and each content that was issued since and then
// changed (rule 5). Only hashes of those are kept, one per sector.
#pragma once

#include <array>
#include <span>

#include "hal/wait.h"
#include "lib/ids.h"
#include "lib/intrusive_list.h"
#include "lib/types.h"

namespace checkpoint {

constexpr u32 NR_VERSIONS = 4;  // a fifth must wait for a flush

// Counts completed writes: what completed before a flush began is durable when the flush succeeds.
using write_stamp = strong_id<struct write_stamp_tag, u32>;  // 0: never completed

struct content_version {
  std::array<u64, SECTORS_PER_BLOCK> sectors{};
  write_stamp written;
};

enum class slot_state : u8 { free, held, issued, written, lost, rewriting };

class reservation;

struct slot {
  slot_state state = slot_state::free;
  bool base_known = false;  // versions include the last durable content
  bool torn = false;        // a write failed midway: until the next flush anything may stand there
  u8 nr_versions = 0;
  dev_id dev;
  block_nr block;
  ino_nr owner;         // whose data it is; 0: the file system's own
  write_stamp written;  // of the content; none while it has not been written
  u32 checksum = 0;     // crc32c of the content, taken at the seal
  std::array<content_version, NR_VERSIONS> versions{};
  u32 number = 0;  // its place in the region, for people
  byte* content = nullptr;
  list_link<slot> hash_link;
  list_link<slot> volume_link;        // its volume's set, oldest first; the free list otherwise
  reservation* charged_to = nullptr;  // the running operation that took it, null after its end
  list_link<slot> charge_link;        // what else that operation has taken

  std::span<byte, BLOCK_SIZE> bytes() const {
    return std::span<byte, BLOCK_SIZE>(content, BLOCK_SIZE);
  }
};

// The device may be writing it at this moment.
inline bool in_flight(const slot& s) {
  return s.state == slot_state::issued || s.state == slot_state::rewriting;
}
// Its content was written completely, so the medium may hold it, also after it has changed.
inline bool may_stand_on_medium(const slot& s) { return s.written != write_stamp{} && !s.torn; }

using slot_list = intrusive_list<slot, &slot::volume_link>;

// Makes a region of `slots`. Called once at boot.
void make_region(u32 slots);
u32 region_size();

// The room that one operation is promised before it takes any (rule 1). What it has taken stays
// charged to it until it ends. A slot that is given back meanwhile – a barrier made its block
// durable, or the block was freed – is promised to the same operation again, which may dirty the
// block once more. So at every moment: promised, not taken + taken, still held = granted.
class [[nodiscard]] reservation {
 public:
  reservation() = default;
  reservation(reservation&& other) noexcept;
  reservation& operator=(reservation&&) = delete;
  ~reservation();

  // Promises so many slots. False, and nothing is promised, when the region has not so many left.
  bool grant(u32 slots);
  u32 granted() const { return granted_; }
  u32 not_taken() const { return granted_ - taken_.size(); }

 private:
  friend slot& take_slot(dev_id dev, block_nr block, slot_list& set, reservation& room);
  friend void free_slot(slot& s, slot_list& set);
  friend void check_region_invariants();

  void charge(slot& s);

  u32 granted_ = 0;
  intrusive_list<slot, &slot::charge_link> taken_;
};

// Slots that are free and promised to no operation.
u32 unreserved();
// Woken whenever room is made.
wait_queue& room_made();
// kasserts that every slot is either free, or held and found by its block, and that the free ones
// cover what is promised. For tests and for gdb. Never sleeps.
void check_region_invariants();

slot* find_slot(dev_id dev, block_nr block);
// Takes a slot out of the room that was promised, for a block that has none.
slot& take_slot(dev_id dev, block_nr block, slot_list& set, reservation& room);
void free_slot(slot& s, slot_list& set);

// The content becomes an earlier version: the medium may hold it, and it is about to be changed.
void push_version(slot& s, std::span<const byte, BLOCK_SIZE> content, write_stamp written);
// The device may have dropped what was written: anything may stand there until the next flush.
void lose_written(slot& s);
// A flush made everything durable that had completed by `stamp`: older versions are impossible now.
void forget_versions_before(slot& s, write_stamp stamp);
// Whether the medium may hold these bytes as the block's sector number `index` (rule 5).
bool may_hold(const slot& s, u32 index, std::span<const byte, SECTOR_SIZE> medium);

}  // namespace checkpoint
