#include "fs/buffer_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/checkpoint.h"
#include "hal/memory.h"
#include "hal/panic.h"

namespace {

constexpr u32 BUFFERS_PER_CHUNK = 64;  // sixteen pages of blocks, contiguous for long transfers
constexpr u32 MAX_BUFFERS = 32768;
constexpr u32 MIN_BUFFERS = 64;

using hash_chain = intrusive_list<buffer_head, &buffer_head::b_hash_link>;

constinit std::array<buffer_head*, MAX_BUFFERS / BUFFERS_PER_CHUNK> chunks{};
constinit u32 nr_buffers = 0;
constinit std::span<hash_chain> hash_table{};
constinit buffer_list free_list{};

// One per disk name, and the first for everything else (the RAM disk).
struct disk_buffers {
  buffer_list dirty;
  std::optional<error> write_error;
};
constinit std::array<disk_buffers, 1 + NR_DISKS> disks{};

disk_buffers& disk_buffers_of(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  return disks[dev.major() == MAJOR_DISK && index < NR_DISKS ? 1 + index : 0];
}

hash_chain& chain_of(dev_id dev, block_nr block) {
  const u32 key = block.value() ^ u32 { dev.value() } << 4;
  return hash_table[key & (hash_table.size() - 1)];
}

u32 pages_for(size_t bytes) { return static_cast<u32>((bytes + PAGE_SIZE - 1) / PAGE_SIZE); }

bool add_chunk(u32 count) {
  const std::span<byte> blocks = allocate_pages(pages_for(size_t{count} * BLOCK_SIZE));
  const std::span<byte> heads = allocate_pages(pages_for(count * sizeof(buffer_head)));
  if (blocks.empty() || heads.empty()) return false;
  chunks[nr_buffers / BUFFERS_PER_CHUNK] = reinterpret_cast<buffer_head*>(heads.data());
  for (u32 i = 0; i < count; ++i) {
    buffer_head* bh = new (heads.data() + i * sizeof(buffer_head)) buffer_head;
    bh->b_data = blocks.data() + size_t{i} * BLOCK_SIZE;
    free_list.push_back(*bh);
  }
  nr_buffers += count;
  return true;
}

void make_hash_table(u32 buffers) {
  const u32 size = std::bit_ceil(buffers);
  const std::span<byte> memory = allocate_pages(pages_for(size * sizeof(hash_chain)));
  kassert(!memory.empty());
  hash_chain* chains = reinterpret_cast<hash_chain*>(memory.data());
  for (u32 i = 0; i < size; ++i) new (chains + i) hash_chain;
  hash_table = {chains, size};
}

buffer_list* list_for(buffer_head& bh) {
  if (bh.b_dirt) return &disk_buffers_of(bh.b_dev).dirty;
  return bh.b_count == 0 && !bh.b_lock ? &free_list : nullptr;
}

void leave_lists(buffer_head& bh) {
  if (free_list.contains(bh))
    free_list.remove(bh);
  else if (bh.b_list_link.linked())
    disk_buffers_of(bh.b_dev).dirty.remove(bh);
}

// Its content is of no use any more: it is the next to be claimed.
void discard(buffer_head& bh) {
  bh.b_dirt = false;
  bh.b_uptodate = false;
  bh.b_error.reset();
  file_buffer(bh);
}

bool of_disk(const buffer_head& bh, dev_id disk) {
  return bh.b_dev && whole_disk(bh.b_dev) == disk;
}

}  // namespace

void buffer_init(u32 buffers) {
  // A quarter of memory unless it is said otherwise.
  const u32 wanted = std::clamp(buffers ? buffers : total_page_count(), MIN_BUFFERS, MAX_BUFFERS);
  make_hash_table(wanted);
  while (nr_buffers < wanted && add_chunk(std::min(BUFFERS_PER_CHUNK, wanted - nr_buffers))) {
  }
  kassert(nr_buffers >= MIN_BUFFERS);
}

u32 buffer_total() { return nr_buffers; }

buffer_head& buffer_at(u32 index) {
  return chunks[index / BUFFERS_PER_CHUNK][index % BUFFERS_PER_CHUNK];
}

buffer_head* find_buffer(dev_id dev, block_nr block) {
  for (buffer_head& bh : chain_of(dev, block))
    if (bh.b_blocknr == block && bh.b_dev == dev) return &bh;
  return nullptr;
}

buffer_head* oldest_free_buffer() { return free_list.front(); }

void name_buffer(buffer_head& bh, dev_id dev, block_nr block) {
  kassert(bh.b_count == 0 && !bh.b_lock && !bh.b_dirt);
  if (bh.b_dev) chain_of(bh.b_dev, bh.b_blocknr).remove(bh);
  bh.b_dev = dev;
  bh.b_blocknr = block;
  bh.b_uptodate = false;
  bh.b_error.reset();
  chain_of(dev, block).push_front(bh);
}

void file_buffer(buffer_head& bh) {
  buffer_list* right = list_for(bh);
  if (right ? right->contains(bh) && right != &free_list : !bh.b_list_link.linked()) return;
  leave_lists(bh);
  if (!right) return;
  if (right == &free_list && !bh.b_uptodate)
    right->push_front(bh);
  else
    right->push_back(bh);
}

buffer_list& dirty_buffers(dev_id dev) { return disk_buffers_of(dev).dirty; }

dev_id dirtiest_disk() {
  dev_id dirtiest{};
  u32 most = 0;
  for (disk_buffers& d : disks) {
    const buffer_head* oldest = d.dirty.front();
    if (!oldest || d.dirty.size() <= most || !resolve(oldest->b_dev)) continue;
    most = d.dirty.size();
    dirtiest = whole_disk(oldest->b_dev);
  }
  return dirtiest;
}

void note_write_error(dev_id dev, error e) {
  std::optional<error>& noted = disk_buffers_of(dev).write_error;
  if (!noted) noted = e;
}

result<void> take_write_error(dev_id dev) {
  std::optional<error>& noted = disk_buffers_of(dev).write_error;
  if (!noted) return {};
  const error e = *noted;
  noted.reset();
  return fail(e);
}

void invalidate_buffers(dev_id disk) {
  for (u32 i = 0; i < nr_buffers; ++i) {
    buffer_head& bh = buffer_at(i);
    if (of_disk(bh, disk)) discard(bh);
  }
}

void invalidate_unused_buffers(dev_id disk, bool (*keep)(dev_id dev, block_nr block)) {
  for (u32 i = 0; i < nr_buffers; ++i) {
    buffer_head& bh = buffer_at(i);
    const bool unused = bh.b_count == 0 && !bh.b_lock && !bh.b_dirt;
    if (of_disk(bh, disk) && unused && !keep(bh.b_dev, bh.b_blocknr)) discard(bh);
  }
}

u32 let_go_of_buffers(dev_id disk) {
  u32 dirty = 0;
  while (buffer_head* bh = dirty_buffers(disk).front()) {
    bh->b_dirt = false;
    file_buffer(*bh);
    ++dirty;
  }
  return dirty;
}

buffer_counts count_buffers() {
  buffer_counts counts{nr_buffers, free_list.size(), 0, 0, 0};
  for (disk_buffers& d : disks) counts.dirty += d.dirty.size();
  for (u32 i = 0; i < nr_buffers; ++i) {
    counts.in_use += buffer_at(i).b_count > 0;
    counts.locked += buffer_at(i).b_lock;
  }
  return counts;
}

void check_buffer_invariants() {
  u32 hashed = 0, listed = free_list.size();
  for (u32 i = 0; i < nr_buffers; ++i) {
    buffer_head& bh = buffer_at(i);
    kassert(!bh.b_dirt || bh.b_uptodate);
    kassert(bh.b_list_link.owner == list_for(bh));
    if (!bh.b_dev) continue;
    ++hashed;
    kassert(find_buffer(bh.b_dev, bh.b_blocknr) == &bh);
  }
  for (disk_buffers& d : disks) listed += d.dirty.size();
  u32 chained = 0;
  for (hash_chain& chain : hash_table) chained += chain.size();
  kassert(chained == hashed && listed <= nr_buffers);
}
