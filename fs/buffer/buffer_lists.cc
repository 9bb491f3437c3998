// Our policy. Every head is on exactly one list, or on none:
//   its disk's dirty list   b_dirt                             oldest first, until a walk sorts it
//   the free list           clean, not in use, not locked      next to be claimed first
//   none                    clean and (in use or locked)
#include <array>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_policy.h"
#include "fs/buffer/buffer_table.h"
#include "hal/panic.h"

namespace {

class buffer_lists final : public buffer_policy {
 public:
  void add(buffer_head& bh) override { free_.push_back(bh); }

  void file(buffer_head& bh) override {
    buffer_list* right = list_for(bh);
    if (right ? right->contains(bh) && right != &free_ : !bh.b_list_link.linked()) return;
    leave_lists(bh);
    if (!right) return;
    if (right == &free_ && !bh.b_uptodate)
      right->push_front(bh);
    else
      right->push_back(bh);
  }

  buffer_head* find_free() override { return free_.front(); }

  void claimed(buffer_head&) override {}

  // The disk with the most dirty buffers.
  dev_id disk_to_write() override {
    dev_id dirtiest{};
    u32 most = 0;
    for (const dirty_list& dirty : dirty_) {
      const buffer_head* first = dirty.list.front();
      if (!first || dirty.list.size() <= most || !resolve(first->b_dev)) continue;
      most = dirty.list.size();
      dirtiest = whole_disk(first->b_dev);
    }
    return dirtiest;
  }

  // Each turn moves the first head to the end, so the list may change during the walk: a head that
  // has been written leaves the list, a head that becomes dirty joins at the end.
  buffer_head* next_dirty(dirty_walk& walk) override {
    dirty_list& dirty = dirty_[disk_index(walk.disk)];
    if (!walk.walkers) begin_walk(walk, dirty);
    if (walk.position++ >= walk.turns) return nullptr;
    buffer_head* bh = dirty.list.pop_front();
    if (bh) dirty.list.push_back(*bh);
    return bh;
  }

  buffer_head* first_under_way(dev_id disk) override {
    for (buffer_head& bh : dirty_[disk_index(disk)].list)
      if (bh.b_lock) return &bh;
    return nullptr;
  }

  void check() override {
    for (u32 i = 0; i < buffer_total(); ++i)
      kassert(buffer_at(i).b_list_link.owner == list_for(buffer_at(i)));
    u32 listed = free_.size();
    for (const dirty_list& dirty : dirty_) listed += dirty.list.size();
    kassert(listed <= buffer_total());
  }

 private:
  struct dirty_list {
    buffer_list list;
    u32 walkers = 0;
  };

  // Sorts the list by block, so that neighbours become one request in whatever order they became
  // dirty. Not while another walk runs: the heads that still have their turn in it are at the
  // front.
  static void begin_walk(dirty_walk& walk, dirty_list& dirty) {
    const bool only_walk = dirty.walkers == 0;
    if (only_walk)
      dirty.list.sort([](const buffer_head& a, const buffer_head& b) {
        return a.b_dev == b.b_dev ? a.b_blocknr < b.b_blocknr : a.b_dev < b.b_dev;
      });
    walk.walkers = &dirty.walkers;
    ++dirty.walkers;
    walk.turns = dirty.list.size();
  }

  // The list on which the head belongs; null for none.
  buffer_list* list_for(const buffer_head& bh) {
    if (bh.b_dirt) return &dirty_[disk_index(bh.b_dev)].list;
    return is_free(bh) ? &free_ : nullptr;
  }

  void leave_lists(buffer_head& bh) {
    if (free_.contains(bh))
      free_.remove(bh);
    else if (bh.b_list_link.linked())
      dirty_[disk_index(bh.b_dev)].list.remove(bh);
  }

  buffer_list free_;
  std::array<dirty_list, NR_DISK_INDEXES> dirty_;
};

constinit buffer_lists lists{};

}  // namespace

buffer_policy& list_policy() { return lists; }
