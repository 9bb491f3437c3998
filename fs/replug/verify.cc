#include "fs/replug/verify.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/checkpoint/batch.h"
#include "fs/checkpoint/shadow.h"
#include "fs/medium_check.h"
#include "hal/memory.h"
#include "hal/panic.h"

namespace checkpoint {

namespace {

// What verifications work in, taken at boot. The task replugd alone verifies, one stick at a time.
constinit std::span<byte> block_memory{}, inode_memory{};

std::span<byte> take_pages(size_t size) {
  const std::span<byte> pages =
      allocate_pages(static_cast<u32>((size + PAGE_SIZE - 1) / PAGE_SIZE));
  kassert(!pages.empty());
  return pages;
}

using block_bytes = std::span<const byte, BLOCK_SIZE>;

// What one block of the medium must be, and how to tell.
struct expectation {
  dev_id dev;
  block_nr block;
  u32 index = 0;  // of the buffer or the inode that expects it
};

// Collects expectations, reads their blocks many at a time, and keeps the worst verdict.
template <class Judge>
class examination {
 public:
  static constexpr u32 BLOCKS = 64;

  examination(const volume& v, block_device& device, byte* scratch, Judge judge)
      : volume_(v), device_(device), scratch_(scratch), judge_(judge) {}

  result<void> add(const expectation& e) {
    expected_[count_++] = e;
    return count_ == BLOCKS ? finish() : result<void>{};
  }

  // Reads and judges what has been added. Sleeps.
  result<void> finish() {
    batch reads(device_);
    for (u32 i = 0; i < count_; ++i)
      reads.start(block_command::read,
                  medium_address(volume_.partitions, expected_[i].dev, expected_[i].block), at(i));
    result<void> worst{};
    reads.finish([&](u32 i, const result<void>& outcome) {
      if (!outcome)
        worst = outcome;
      else
        verdict_ = std::max(verdict_, judge_(expected_[i], block_bytes(at(i), BLOCK_SIZE)));
    });
    count_ = 0;
    return worst;
  }

  verdict result_so_far() const { return verdict_; }

 private:
  byte* at(u32 i) const { return scratch_ + size_t{i} * BLOCK_SIZE; }

  const volume& volume_;
  block_device& device_;
  byte* scratch_;
  Judge judge_;
  verdict verdict_ = verdict::same;
  std::array<expectation, BLOCKS> expected_{};
  u32 count_ = 0;
};

verdict judge_buffer(const expectation& e, block_bytes medium) {
  const buffer_head& bh = buffer_at(e.index);
  if (!bh.b_uptodate || bh.b_dev != e.dev || bh.b_blocknr != e.block) return verdict::same;
  const block_bytes ours(bh.b_data, BLOCK_SIZE);
  if (shadowed(e.dev, e.block)) return verdict::same;  // its slot knows better
  return std::memcmp(ours.data(), medium.data(), BLOCK_SIZE) == 0 ? verdict::same
                                                                  : verdict::modified;
}

verdict judge_slot(const expectation& e, block_bytes medium) {
  const slot* s = find_slot(e.dev, e.block);
  if (!s) return verdict::same;
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i)
    if (!may_hold(*s, i,
                  std::span<const byte, SECTOR_SIZE>(medium.data() + size_t{i} * SECTOR_SIZE,
                                                     SECTOR_SIZE)))
      return verdict::modified;
  return verdict::same;
}

// The file systems mounted on a disk, by their devices.
struct mounted_list {
  std::array<dev_id, MINORS_PER_DISK> devices;
  u32 count = 0;
};

void collect_mounted(void* context, dev_id dev) {
  mounted_list& list = *static_cast<mounted_list*>(context);
  if (list.count < list.devices.size()) list.devices[list.count++] = dev;
}

// The geometry of a mounted file system tells sticks apart, whatever was in flight at the pull.
result<verdict> verify_geometry(const volume& v, block_device& device, byte* scratch) {
  mounted_list mounted{};
  for_each_mounted(v.disk, &mounted, collect_mounted);
  const auto judge = [](const expectation& e, block_bytes medium) {
    return same_geometry(e.dev, medium) ? verdict::same : verdict::different;
  };
  examination e(v, device, scratch, judge);
  for (u32 i = 0; i < mounted.count; ++i) TRY(e.add({mounted.devices[i], GEOMETRY_BLOCK}));
  TRY(e.finish());
  return e.result_so_far();
}

// What the buffers still hold of this disk: those in use, and metadata.
result<verdict> verify_buffers(const volume& v, block_device& device, byte* scratch) {
  examination e(v, device, scratch, judge_buffer);
  for (u32 i = 0; i < buffer_total(); ++i) {
    const buffer_head& bh = buffer_at(i);
    if (bh.b_dev && whole_disk(bh.b_dev) == v.disk && bh.b_uptodate)
      TRY(e.add({bh.b_dev, bh.b_blocknr, i}));
  }
  TRY(e.finish());
  return e.result_so_far();
}

// The sealed set. It cannot grow here, and nothing leaves it: the state is `verify`.
result<verdict> verify_set(const volume& v, block_device& device, byte* scratch) {
  examination e(v, device, scratch, judge_slot);
  for (const slot& s : v.set) TRY(e.add({s.dev, s.block, 0}));
  TRY(e.finish());
  return e.result_so_far();
}

// An inode in memory as it must stand on the medium.
struct expected_inode {
  dev_id dev;
  block_nr block;
  u32 offset;
  std::array<byte, 32> bytes;
};

struct inode_list {
  expected_inode* inodes;
  u32 count;
};

void collect_inode(void* context, dev_id dev, block_nr block, u32 offset,
                   std::span<const byte, 32> expected) {
  inode_list& list = *static_cast<inode_list*>(context);
  if (list.count == MOST_INODES_TO_CHECK || shadowed(dev, block)) return;
  expected_inode& inode = list.inodes[list.count++];
  inode = {dev, block, offset, {}};
  std::ranges::copy(expected, inode.bytes.begin());
}

result<verdict> verify_inodes(const volume& v, block_device& device, byte* scratch) {
  inode_list list{reinterpret_cast<expected_inode*>(inode_memory.data()), 0};
  for_each_clean_inode(v.disk, &list, collect_inode);
  const auto judge = [&](const expectation& e, block_bytes medium) {
    const expected_inode& inode = list.inodes[e.index];
    return std::ranges::equal(inode.bytes, medium.subspan(inode.offset, inode.bytes.size()))
               ? verdict::same
               : verdict::modified;
  };
  examination e(v, device, scratch, judge);
  for (u32 i = 0; i < list.count; ++i) TRY(e.add({list.inodes[i].dev, list.inodes[i].block, i}));
  TRY(e.finish());
  return e.result_so_far();
}

}  // namespace

void reserve_verify_memory() {
  block_memory = take_pages(64 * BLOCK_SIZE);
  inode_memory = take_pages(MOST_INODES_TO_CHECK * sizeof(expected_inode));
}

std::span<byte> verify_memory() { return block_memory; }

bool may_be(const volume& v, const block_device& device, const partition_table& partitions) {
  return v.identity == device.identity && v.partitions == partitions;
}

result<verdict> verify(const volume& v, block_device& device) {
  const std::span<byte> scratch = block_memory;
  // Rule 11: data that no task uses is dropped and read again later; what remains is compared.
  drop_clean_buffers(v.disk, is_metadata);
  forget_zone_runs(v.disk);
  verdict worst = TRY(verify_geometry(v, device, scratch.data()));
  if (worst == verdict::different) return worst;
  worst = TRY(verify_buffers(v, device, scratch.data()));
  worst = std::max(worst, TRY(verify_set(v, device, scratch.data())));
  return std::max(worst, TRY(verify_inodes(v, device, scratch.data())));
}

}  // namespace checkpoint
