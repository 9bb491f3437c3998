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

// A block of the medium that is compared.
struct expectation {
  dev_id dev;
  block_nr block;
  u32 index = 0;          // of the buffer or the inode that expects it
  bool optional = false;  // nothing depends on it: it need not be readable
};

// Where the blocks of one batch are read to.
byte* place_for(u32 index) { return block_memory.data() + size_t{index} * BLOCK_SIZE; }
block_bytes block_at(u32 index) { return block_bytes(place_for(index), BLOCK_SIZE); }

// What comparisons have found, by their number.
struct evidence {
  u32 differing = 0;  // refutes
  u32 proofs = 0;     // the same, and distinctive
  u32 unread = 0;     // could not be read, and need not be

  evidence& operator+=(const evidence& other) {
    differing += other.differing;
    proofs += other.proofs;
    unread += other.unread;
    return *this;
  }
};

// The file systems mounted on a disk, by their devices.
struct mounted_list {
  std::array<dev_id, MINORS_PER_DISK> devices;
  u32 count = 0;
};

void collect_mounted(void* context, dev_id dev) {
  mounted_list& list = *static_cast<mounted_list*>(context);
  if (list.count < list.devices.size()) list.devices[list.count++] = dev;
}

// What a comparison of one block has found.
enum class comparison : u8 { nothing_to_compare, equal, differs };

// Collects expectations, reads their blocks many at a time, and counts what their comparisons find.
template <class Judge>
class examination {
 public:
  static constexpr u32 BLOCKS = 64;

  // judge(expectation, content of the medium) → comparison
  examination(const volume& v, block_device& device, Judge judge)
      : volume_(v), device_(device), judge_(judge) {}

  result<void> add(const expectation& e) {
    expected_[count_++] = e;
    return count_ == BLOCKS ? read_and_judge() : result<void>{};
  }

  // Reads the blocks that were added and judges each. Sleeps. Errors: a read failed.
  result<evidence> finish() {
    TRY(read_and_judge());
    return found_;
  }

 private:
  result<void> read_and_judge() {
    batch reads(device_);
    for (u32 i = 0; i < count_; ++i)
      reads.start(block_command::read,
                  medium_address(volume_.partitions, expected_[i].dev, expected_[i].block),
                  place_for(i));
    result<void> worst{};
    reads.finish([&](u32 i, const result<void>& outcome) {
      if (outcome)
        count(judge_(expected_[i], block_at(i)), block_at(i));
      else if (!expected_[i].optional || device_.gone())
        worst = outcome;
      else
        ++found_.unread;
    });
    count_ = 0;
    return worst;
  }

  void count(comparison c, block_bytes medium) {
    found_.differing += c == comparison::differs;
    found_.proofs += c == comparison::equal && is_distinctive(medium);
  }

  const volume& volume_;
  block_device& device_;
  Judge judge_;
  evidence found_;
  std::array<expectation, BLOCKS> expected_{};
  u32 count_ = 0;
};

comparison compare(bool equal) { return equal ? comparison::equal : comparison::differs; }

// Compares the superblock of each mounted file system. Differing: another layout or file system.
// A later stamp is a change: `changed` counts them; `bare` counts the stamps that are gone.
result<evidence> verify_geometry(const volume& v, block_device& device, u32& changed, u32& bare) {
  mounted_list mounted{};
  for_each_mounted(v.disk, &mounted, collect_mounted);
  const auto judge = [&](const expectation& e, block_bytes medium) {
    const resemblance r = compare_super(e.dev, medium);
    changed += r == resemblance::changed;
    bare += r == resemblance::bare;
    if (r == resemblance::other) return comparison::differs;
    return r == resemblance::same ? comparison::equal : comparison::nothing_to_compare;
  };
  examination e(v, device, judge);
  for (u32 i = 0; i < mounted.count; ++i) {
    const slot* s = find_slot(mounted.devices[i], GEOMETRY_BLOCK);
    if (!s || !may_hold_anything(*s)) TRY(e.add({mounted.devices[i], GEOMETRY_BLOCK}));
  }
  return e.finish();
}

// Whether a block of the set stands at this address of the medium: verify_set compares it.
bool stands_in_set(const volume& v, lba at) {
  for (const slot& s : v.set)
    if (at.value() - address_of(v, s).value() < SECTORS_PER_BLOCK) return true;
  return false;
}

// Compares the places of the fingerprint; one that cannot be read tells nothing. `table_differs`:
// the first of them, the partition table.
result<evidence> verify_places(const volume& v, block_device& device, bool& table_differs) {
  const auto judge = [&](const expectation& e, block_bytes medium) {
    const auto sector = medium.first<SECTOR_SIZE>();
    const bool equal = v.places.matches(e.index, sector);
    if (e.index == 0 && !equal) table_differs = true;
    // The other sector of the block is no proof.
    return equal && !is_distinctive(sector) ? comparison::nothing_to_compare : compare(equal);
  };
  examination e(v, device, judge);
  for (u32 i = 0; i < fingerprint::PLACES; ++i)
    if (v.places.is_known(i) && !stands_in_set(v, v.places.place(i)))
      TRY(e.add({v.disk, block_nr(v.places.place(i).value() / SECTORS_PER_BLOCK), i, true}));
  return e.finish();
}

metadata_digest* find_digest(const volume& v, dev_id dev) {
  for (metadata_digest& d : v.digests)
    if (d.dev() == dev) return &d;
  return nullptr;
}

bool digest_answers(const volume& v, dev_id dev, block_nr block) {
  const metadata_digest* d = find_digest(v, dev);
  return d && d->answers_for(dev, block);
}

bool digest_knows(const volume& v, dev_id dev, block_nr block) {
  const metadata_digest* d = find_digest(v, dev);
  return d && d->answers_for(dev, block) && d->is_known(block.value() - d->block(0).value());
}

// Looks again if blocks could not be read: a change must not be hidden by an error that does not
// last.
template <class Look>
result<evidence> look_twice(Look look) {
  evidence found = TRY(look());
  if (found.unread > 0) found += TRY(look());
  return found;
}

// Compares the known blocks of a digest; one that cannot be read tells nothing. The file system
// may be unmounted while this sleeps.
result<evidence> compare_digest(const volume& v, block_device& device, dev_id dev) {
  const auto judge = [&](const expectation& e, block_bytes medium) {
    const metadata_digest* d = find_digest(v, dev);
    if (!d || !d->is_known(e.index)) return comparison::nothing_to_compare;
    return compare(d->matches(e.index, medium));
  };
  examination e(v, device, judge);
  for (u32 i = 0;; ++i) {
    const metadata_digest* d = find_digest(v, dev);
    if (!d || i >= d->blocks()) return e.finish();
    if (d->is_known(i)) TRY(e.add({dev, d->block(i), i, true}));
  }
}

result<evidence> verify_digests(const volume& v, block_device& device) {
  mounted_list mounted{};
  for_each_mounted(v.disk, &mounted, collect_mounted);
  evidence all;
  for (u32 i = 0; i < mounted.count; ++i) {
    const dev_id dev = mounted.devices[i];
    all += TRY(look_twice([&] { return compare_digest(v, device, dev); }));
  }
  return all;
}

comparison judge_buffer(const expectation& e, block_bytes medium) {
  const buffer_head& bh = buffer_at(e.index);
  const bool is_still_it = bh.b_uptodate && bh.b_dev == e.dev && bh.b_blocknr == e.block;
  if (!is_still_it || shadowed(e.dev, e.block)) return comparison::nothing_to_compare;
  return compare(std::memcmp(bh.b_data, medium.data(), BLOCK_SIZE) == 0);
}

// Compares the buffers of this disk that are uptodate: those in use, and metadata. Those in the set
// and those for which a digest answers are compared there. One that is not in use and cannot be
// read tells nothing, as in a digest.
result<evidence> compare_buffers(const volume& v, block_device& device) {
  examination e(v, device, judge_buffer);
  for (u32 i = 0; i < buffer_total(); ++i) {
    const buffer_head& bh = buffer_at(i);
    const bool expected = bh.b_dev && whole_disk(bh.b_dev) == v.disk && bh.b_uptodate;
    if (!expected || shadowed(bh.b_dev, bh.b_blocknr)) continue;
    if (!digest_answers(v, bh.b_dev, bh.b_blocknr))
      TRY(e.add({bh.b_dev, bh.b_blocknr, i, bh.b_count == 0}));
  }
  return e.finish();
}

result<evidence> verify_buffers(const volume& v, block_device& device) {
  return look_twice([&] { return compare_buffers(v, device); });
}

comparison judge_slot(const expectation& e, block_bytes medium) {
  const slot* s = find_slot(e.dev, e.block);
  if (!s || may_hold_anything(*s)) return comparison::nothing_to_compare;
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i)
    if (!may_hold(*s, i,
                  std::span<const byte, SECTOR_SIZE>(medium.data() + size_t{i} * SECTOR_SIZE,
                                                     SECTOR_SIZE)))
      return comparison::differs;
  return comparison::equal;
}

// Compares the sealed set. No slot is added or freed meanwhile, as the state is `verify`. A block
// that may hold anything need not be readable: its sectors may have been cut by the pull, and be so
// until they are written.
result<evidence> verify_set(const volume& v, block_device& device) {
  examination e(v, device, judge_slot);
  for (const slot& s : v.set) TRY(e.add({s.dev, s.block, 0, may_hold_anything(s)}));
  return e.finish();
}

// An inode in memory, as the medium must have it.
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

// Those for which a digest answers are compared there; but where it could not be read (`unread`),
// an inode in memory must be.
result<evidence> verify_inodes(const volume& v, block_device& device, bool unread) {
  inode_list list{reinterpret_cast<expected_inode*>(inode_memory.data()), 0};
  for_each_clean_inode(v.disk, &list, collect_inode);
  const auto judge = [&](const expectation& e, block_bytes medium) {
    const expected_inode& inode = list.inodes[e.index];
    return compare(
        std::ranges::equal(inode.bytes, medium.subspan(inode.offset, inode.bytes.size())));
  };
  examination e(v, device, judge);
  for (u32 i = 0; i < list.count; ++i) {
    const expected_inode& inode = list.inodes[i];
    const bool compared = digest_answers(v, inode.dev, inode.block) &&
                          !(unread && digest_knows(v, inode.dev, inode.block));
    if (!compared) TRY(e.add({inode.dev, inode.block, i}));
  }
  return e.finish();
}

}  // namespace

void reserve_verify_memory() {
  block_memory = take_pages(64 * BLOCK_SIZE);
  inode_memory = take_pages(MOST_INODES_TO_CHECK * sizeof(expected_inode));
}

std::span<byte> verify_memory() { return block_memory; }

bool may_be(const volume& v, const block_device& device) { return v.identity == device.identity; }

result<fingerprint> read_fingerprint(block_device& device) {
  fingerprint places(device.identity.sectors);
  batch reads(device);
  for (u32 i = 0; i < fingerprint::PLACES; ++i)
    reads.start(block_command::read, places.place(i), place_for(i));
  reads.finish([&](u32 i, const result<void>& outcome) {
    if (outcome) places.learn(i, block_at(i).first<SECTOR_SIZE>());
  });
  return device.gone() ? result<fingerprint>(fail(error::enodev)) : places;
}

result<verdict> verify(const volume& v, block_device& device) {
  // Rule 11: data that no task uses is dropped and read again later; what remains is compared.
  drop_clean_buffers(v.disk, is_metadata);
  forget_zone_runs(v.disk);
  u32 changed = 0, bare = 0;
  bool table_differs = false;
  const evidence geometry = TRY(verify_geometry(v, device, changed, bare));
  if (geometry.differing > 0) return verdict::different;
  const evidence places = TRY(verify_places(v, device, table_differs));
  if (table_differs) return verdict::different;
  const evidence digests = TRY(verify_digests(v, device));
  const evidence buffers = TRY(verify_buffers(v, device));
  const evidence set = TRY(verify_set(v, device));
  const evidence inodes = TRY(verify_inodes(v, device, digests.unread > 0));
  evidence all{.differing = changed};
  for (const evidence& found : {geometry, places, digests, buffers, set, inodes}) all += found;
  if (bare > 0) return verdict::formatted;
  if (all.differing > 0) return verdict::modified;
  return all.proofs > 0 ? verdict::same : verdict::unproven;
}

}  // namespace checkpoint
