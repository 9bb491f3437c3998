// buffer_policy: which buffer is given another block, and how those that are to be written are
// found. Everything else of the cache is the same under every policy.
//
//   ours            a list of the clean and free, the one unused the longest first, and a list of
//                   the dirty for each disk: the cost follows the request
//   policy=0.11     the book's: one ring of all buffers, scanned for the least BADNESS, and a sync
//                   that looks at the whole array. Here to be compared (make bench), and taught
//
// Nothing here sleeps. A head is *free* when it is clean, in nobody's use and not locked.
#pragma once

#include <string_view>

#include "drivers/block/buffer_head.h"

using buffer_list = intrusive_list<buffer_head, &buffer_head::b_list_link>;

// A walk over the dirty buffers of a disk. Whoever walks may sleep at each: whatever is dirty from
// the walk's beginning until its turn comes has a turn, in this walk or in another's that passes it
// meanwhile.
struct dirty_walk {
  explicit dirty_walk(dev_id whole_disk) : disk(whole_disk) {}
  dirty_walk(const dirty_walk&) = delete;
  dirty_walk& operator=(const dirty_walk&) = delete;
  ~dirty_walk() {
    if (walkers) --*walkers;
  }

  dev_id disk;
  u32 position = 0;
  u32 turns = 0;
  u32* walkers = nullptr;  // ours: who counts the walks that are under way
};

class buffer_policy {
 public:
  // At boot: a head that holds nothing.
  virtual void add(buffer_head& bh) = 0;
  // It may have become dirty or clean, free or not free.
  virtual void file(buffer_head& bh) = 0;
  // The free head to be claimed next; null when none is free.
  virtual buffer_head* find_free() = 0;
  // A free head was given another block.
  virtual void claimed(buffer_head& bh) = 0;
  // No head is free: the disk to be written; dev_id{} when there is none that can be.
  virtual dev_id disk_to_write() = 0;
  // The next buffer of the walk, null at its end.
  virtual buffer_head* next_dirty(dirty_walk& walk) = 0;
  // A dirty buffer of the disk that is on its way to it; null when there is none.
  virtual buffer_head* first_under_way(dev_id disk) = 0;
  // kasserts that every head is where it belongs.
  virtual void check() = 0;

 protected:
  ~buffer_policy() = default;
};

buffer_policy& find_buffer_policy(std::string_view name);  // "0.11", or else ours
buffer_policy& ring_policy();                              // buffer_ring.cc
buffer_policy& list_policy();                              // buffer_lists.cc

inline bool is_free(const buffer_head& bh) { return !bh.b_dirt && bh.b_count == 0 && !bh.b_lock; }
