// policy=0.11, the book's (buffer.c, 3.3.1.2): all buffers are in one ring. getblk scans it for the
// least BADNESS and moves the chosen one to the end; sync tests every buffer.
#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_policy.h"
#include "fs/buffer/buffer_table.h"
#include "hal/panic.h"

namespace {

// The book's: dirty is worse than locked.
u32 badness(const buffer_head& bh) { return u32{bh.b_dirt} * 2 + u32{bh.b_lock}; }

class buffer_ring final : public buffer_policy {
 public:
  void add(buffer_head& bh) override { ring_.push_back(bh); }
  void file(buffer_head&) override {}

  buffer_head* find_free() override {
    buffer_head* best = least_bad();
    return best && is_free(*best) ? best : nullptr;
  }

  void claimed(buffer_head& bh) override {
    ring_.remove(bh);
    ring_.push_back(bh);
  }

  // The book writes only the device of the buffer with the least BADNESS. Here that device may be
  // away: then the first device in the ring that has dirty buffers and is plugged in.
  dev_id disk_to_write() override {
    const buffer_head* best = least_bad();
    if (best && best->b_dirt && resolve(best->b_dev)) return whole_disk(best->b_dev);
    for (const buffer_head& bh : ring_)
      if (bh.b_dirt && resolve(bh.b_dev)) return whole_disk(bh.b_dev);
    return {};
  }

  buffer_head* next_dirty(dirty_walk& walk) override {
    while (walk.position < buffer_total()) {
      buffer_head& bh = buffer_at(walk.position++);
      if (bh.b_dirt && disk_index(bh.b_dev) == disk_index(walk.disk)) return &bh;
    }
    return nullptr;
  }

  buffer_head* first_under_way(dev_id disk) override {
    dirty_walk walk(disk);
    while (buffer_head* bh = next_dirty(walk))
      if (bh->b_lock) return bh;
    return nullptr;
  }

  void check() override { kassert(ring_.size() == buffer_total()); }

 private:
  buffer_head* least_bad() {
    buffer_head* best = nullptr;
    for (buffer_head& bh : ring_) {
      if (bh.b_count) continue;
      if (!best || badness(bh) < badness(*best)) best = &bh;
      if (badness(*best) == 0) break;
    }
    return best;
  }

  buffer_list ring_;
};

constinit buffer_ring ring{};

}  // namespace

buffer_policy& ring_policy() { return ring; }
