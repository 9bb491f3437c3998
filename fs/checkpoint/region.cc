#include "fs/checkpoint/region.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "hal/clock.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "lib/sector_hash.h"

namespace checkpoint {

namespace {

constexpr u32 SLOTS_PER_CHUNK = 64;  // sixteen pages of content
constexpr u32 HASH_BUCKETS = 4096;
constexpr u32 MIN_SLOTS = 128;
constexpr u32 MAX_SLOTS = 32768;

using hash_chain = intrusive_list<slot, &slot::hash_link>;

constinit std::array<hash_chain, HASH_BUCKETS> buckets{};
constinit slot_list free_slots{};
constinit u32 nr_slots = 0;
constinit intrusive_list<reservation, &reservation::link> reservations{};
constinit u32 promised = 0;  // slots promised to running operations and not taken
constinit wait_queue room{};
constinit sector_hasher hash{0};

hash_chain& bucket_of(dev_id dev, block_nr block) {
  return buckets[(block.value() ^ u32{dev.value()} << 3) % HASH_BUCKETS];
}

// An eighth of memory, within bounds.
u32 default_slots() { return std::clamp(total_page_count() / 2, MIN_SLOTS, MAX_SLOTS); }

bool add_chunk() {
  const std::span<byte> contents = allocate_unset_pages(SLOTS_PER_CHUNK * BLOCK_SIZE / PAGE_SIZE);
  const std::span<byte> heads =
      allocate_unset_pages((SLOTS_PER_CHUNK * sizeof(slot) + PAGE_SIZE - 1) / PAGE_SIZE);
  if (contents.empty() || heads.empty()) return false;
  for (u32 i = 0; i < SLOTS_PER_CHUNK; ++i) {
    slot* s = new (heads.data() + i * sizeof(slot)) slot;
    s->number = nr_slots + i;
    s->content = contents.data() + size_t{i} * BLOCK_SIZE;
    free_slots.push_back(*s);
  }
  nr_slots += SLOTS_PER_CHUNK;
  return true;
}

std::span<const byte, SECTOR_SIZE> sector_of(std::span<const byte, BLOCK_SIZE> block, u32 index) {
  return std::span<const byte, SECTOR_SIZE>(block.data() + size_t{index} * SECTOR_SIZE,
                                            SECTOR_SIZE);
}

}  // namespace

void make_region(u32 slots) {
  const u32 wanted = slots ? std::max(slots, MIN_SLOTS) : default_slots();
  hash = sector_hasher(static_cast<u64>(now().ns) ^ u64{current_time()} << 32);
  while (nr_slots < wanted && add_chunk()) {
  }
  kassert(nr_slots >= MIN_SLOTS);
}

u32 region_size() { return nr_slots; }
u32 slots_in_use() { return nr_slots - free_slots.size(); }

reservation::reservation(reservation&& other) noexcept
    : number_(other.number_), granted_(other.granted_), in_use_(other.in_use_) {
  if (!other.link.linked()) return;
  reservations.replace(other, *this);
}

void reservation::end() {
  reservations.remove(*this);
  promised -= not_taken();
  wake_up(room);
}

bool reservation::grant(u32 slots) {
  kassert(!link.linked());
  if (unreserved() < slots) return false;
  static constinit u64 last_number = 0;
  number_ = reservation_nr(++last_number);
  granted_ = slots;
  promised += slots;
  reservations.push_back(*this);
  return true;
}

reservation* reservation::of(const slot& s) {
  for (reservation& r : reservations)
    if (r.number_ == s.charged_to) return &r;
  return nullptr;
}

wait_queue& room_made() { return room; }

u32 unreserved() { return free_slots.size() - promised; }

void check_region_invariants() {
  u32 not_free = 0, charged = 0;
  for (hash_chain& chain : buckets)
    for (const slot& s : chain) {
      kassert(s.state != slot_state::free && find_slot(s.dev, s.block) == &s);
      ++not_free;
      if (reservation::of(s)) ++charged;
    }
  u32 counted = 0, not_taken = 0;
  for (const reservation& r : reservations) {
    counted += r.in_use_;
    not_taken += r.not_taken();
  }
  kassert(charged == counted && promised == not_taken);
  kassert(free_slots.size() + not_free == nr_slots && promised <= free_slots.size());
}

slot* find_slot(dev_id dev, block_nr block) {
  for (slot& s : bucket_of(dev, block))
    if (s.block == block && s.dev == dev) return &s;
  return nullptr;
}

slot& take_slot(dev_id dev, block_nr block, slot_list& set, reservation& room) {
  kassert(room.not_taken() > 0 && promised > 0 && !free_slots.empty());
  --promised;
  slot& s = *free_slots.pop_front();
  s.state = slot_state::held;
  s.base_known = s.refused = false;
  s.nr_versions = 0;
  s.dev = dev;
  s.block = block;
  s.owner = {};
  s.written = {};
  bucket_of(dev, block).push_front(s);
  set.push_back(s);
  s.charged_to = room.number_;
  ++room.in_use_;
  return s;
}

void free_slot(slot& s, slot_list& set) {
  bucket_of(s.dev, s.block).remove(s);
  set.remove(s);
  s.state = slot_state::free;
  free_slots.push_front(s);
  if (reservation* taken_from = reservation::of(s)) {
    --taken_from->in_use_;
    ++promised;  // to the operation that had taken it
  } else {
    wake_up(room);
  }
}

u64 hash_of(std::span<const byte, SECTOR_SIZE> sector) { return hash(sector); }

void push_version(slot& s, std::span<const byte, BLOCK_SIZE> content, write_stamp written) {
  kassert(!versions_full(s));
  if (s.nr_versions == NR_VERSIONS) {
    std::copy(s.versions.begin() + 1, s.versions.end(), s.versions.begin());
    --s.nr_versions;
  }
  content_version& v = s.versions[s.nr_versions++];
  v.written = written;
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) v.sectors[i] = hash(sector_of(content, i));
}

void tear(slot& s) {
  s.base_known = false;
  s.nr_versions = 0;
}

void lose_written(slot& s) {
  s.state = slot_state::lost;
  s.written = {};
  tear(s);
}

void lose_versions_after(slot& s, write_stamp flushed) {
  for (u32 i = 0; i < s.nr_versions; ++i)
    if (s.versions[i].written > flushed) s.versions[i].written = {};
}

void forget_versions_before(slot& s, write_stamp plugged, write_stamp stamp) {
  u32 newest = 0;  // the newest version that is durable now
  bool found = false;
  for (u32 i = 0; i < s.nr_versions; ++i)
    if (s.versions[i].written > plugged && s.versions[i].written <= stamp) {
      newest = i;
      found = true;
    }
  if (!found) return;
  std::copy(s.versions.begin() + newest, s.versions.begin() + s.nr_versions, s.versions.begin());
  s.nr_versions = static_cast<u8>(s.nr_versions - newest);
  s.base_known = true;
}

bool may_hold_anything(const slot& s) { return in_flight(s) || !s.base_known; }

bool may_hold(const slot& s, u32 index, std::span<const byte, SECTOR_SIZE> medium) {
  if (may_hold_anything(s)) return true;
  if (std::memcmp(sector_of(s.bytes(), index).data(), medium.data(), SECTOR_SIZE) == 0) return true;
  const u64 found = hash(medium);
  for (u32 i = 0; i < s.nr_versions; ++i)
    if (s.versions[i].sectors[index] == found) return true;
  return false;
}

}  // namespace checkpoint
