// buffer_policy: chooses the buffer that is given another block, and finds the dirty buffers.
// Everything else of the cache is the same under every policy.
//
//   ours            one list of the free buffers, the one unused for the longest time first, and
//                   one list of the dirty buffers of each disk: the cost grows with the request
//   policy=0.11     the book's: one ring of all buffers, scanned for the least BADNESS, and a sync
//                   that reads all heads. It is here for comparison (make bench) and teaching
//
// Nothing here sleeps. A head is *free* when it is clean, not in use and not locked.
#pragma once

#include <string_view>

#include "drivers/block/buffer_head.h"

using buffer_list = intrusive_list<buffer_head, &buffer_head::b_list_link>;

// A walk over the dirty buffers of a disk. The walking task may sleep at each buffer. A buffer that
// is dirty when the walk begins and stays dirty gets its turn: in this walk, or in the walk of
// another task that runs meanwhile.
struct dirty_walk {
  explicit dirty_walk(dev_id whole_disk) : disk(whole_disk) {}
  dirty_walk(const dirty_walk&) = delete;
  dirty_walk& operator=(const dirty_walk&) = delete;
  ~dirty_walk() {
    if (walkers) --*walkers;
  }

  dev_id disk;
  u32 position = 0;        // 0.11: the next head to test; ours: turns taken so far
  u32 turns = 0;           // ours: how many turns the walk has
  u32* walkers = nullptr;  // ours: the count of walks over this list; null before the first turn
};

class buffer_policy {
 public:
  // At boot: a head without a block.
  virtual void add(buffer_head& bh) = 0;
  // The head may have become dirty or clean, free or not free: puts it where it belongs now.
  virtual void file(buffer_head& bh) = 0;
  // The free head that is given a block next; null when none is free.
  virtual buffer_head* find_free() = 0;
  // name_buffer has given a free head another block.
  virtual void claimed(buffer_head& bh) = 0;
  // Called when no head is free: the disk to write; dev_id{} when none with dirty buffers is
  // plugged in.
  virtual dev_id disk_to_write() = 0;
  // The next buffer of the walk, null at its end.
  virtual buffer_head* next_dirty(dirty_walk& walk) = 0;
  // A dirty buffer of the disk whose write is under way; null when there is none.
  virtual buffer_head* first_under_way(dev_id disk) = 0;
  // kasserts that every head is on the right list or ring.
  virtual void check() = 0;

 protected:
  ~buffer_policy() = default;
};

buffer_policy& find_buffer_policy(std::string_view name);  // "0.11", or else ours
buffer_policy& ring_policy();                              // buffer_ring.cc
buffer_policy& list_policy();                              // buffer_lists.cc

inline bool is_free(const buffer_head& bh) { return !bh.b_dirt && bh.b_count == 0 && !bh.b_lock; }
