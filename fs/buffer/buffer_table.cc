#include "fs/buffer/buffer_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "drivers/block/genhd.h"
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
constinit buffer_policy* policy = nullptr;
constinit std::array<std::optional<error>, NR_DISK_INDEXES> write_errors{};
constinit std::array<u32, NR_DISK_INDEXES> heads_of_disk{};

hash_chain& chain_of(dev_id dev, block_nr block) {
  const u32 key = block.value() ^ u32 { dev.value() } << 4;
  return hash_table[key & (hash_table.size() - 1)];
}

u32 pages_for(size_t bytes) { return static_cast<u32>((bytes + PAGE_SIZE - 1) / PAGE_SIZE); }

bool add_chunk(u32 count) {
  const std::span<byte> blocks = allocate_unset_pages(pages_for(size_t{count} * BLOCK_SIZE));
  const std::span<byte> heads = allocate_unset_pages(pages_for(count * sizeof(buffer_head)));
  if (blocks.empty() || heads.empty()) return false;
  chunks[nr_buffers / BUFFERS_PER_CHUNK] = reinterpret_cast<buffer_head*>(heads.data());
  for (u32 i = 0; i < count; ++i) {
    buffer_head* bh = new (heads.data() + i * sizeof(buffer_head)) buffer_head;
    bh->b_data = blocks.data() + size_t{i} * BLOCK_SIZE;
    policy->add(*bh);
  }
  nr_buffers += count;
  return true;
}

void make_hash_table(u32 buffers) {
  const u32 size = std::bit_ceil(buffers);
  const std::span<byte> memory = allocate_unset_pages(pages_for(size * sizeof(hash_chain)));
  kassert(!memory.empty());
  hash_chain* chains = reinterpret_cast<hash_chain*>(memory.data());
  for (u32 i = 0; i < size; ++i) new (chains + i) hash_chain;
  hash_table = {chains, size};
}

}  // namespace

buffer_policy& the_policy() { return *policy; }

buffer_policy& find_buffer_policy(std::string_view name) {
  return name == "0.11" ? ring_policy() : list_policy();
}

void buffer_init(u32 buffers, buffer_policy& chosen) {
  policy = &chosen;
  // By default one block per page of memory: a quarter of it.
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

bool has_buffers(dev_id disk) { return heads_of_disk[disk_index(disk)] > 0; }

buffer_head* find_buffer(dev_id dev, block_nr block) {
  for (buffer_head& bh : chain_of(dev, block))
    if (bh.b_blocknr == block && bh.b_dev == dev) return &bh;
  return nullptr;
}

void name_buffer(buffer_head& bh, dev_id dev, block_nr block) {
  kassert(bh.b_count == 0 && !bh.b_lock && !bh.b_dirt);
  if (bh.b_dev) {
    chain_of(bh.b_dev, bh.b_blocknr).remove(bh);
    --heads_of_disk[disk_index(bh.b_dev)];
  }
  bh.b_dev = dev;
  bh.b_blocknr = block;
  bh.b_uptodate = false;
  bh.b_error.reset();
  chain_of(dev, block).push_front(bh);
  ++heads_of_disk[disk_index(dev)];
  policy->claimed(bh);
}

void note_write_error(dev_id dev, error e) {
  std::optional<error>& noted = write_errors[disk_index(dev)];
  if (!noted) noted = e;
}

result<void> take_write_error(dev_id dev) {
  std::optional<error>& noted = write_errors[disk_index(dev)];
  if (!noted) return {};
  const error e = *noted;
  noted.reset();
  return fail(e);
}

buffer_counts count_buffers() {
  buffer_counts counts{nr_buffers, 0, 0, 0, 0};
  for (u32 i = 0; i < nr_buffers; ++i) {
    const buffer_head& bh = buffer_at(i);
    counts.clean += is_free(bh);
    counts.dirty += bh.b_dirt;
    counts.in_use += bh.b_count > 0;
    counts.locked += bh.b_lock;
  }
  return counts;
}

void check_buffer_invariants() {
  u32 hashed = 0, chained = 0;
  std::array<u32, NR_DISK_INDEXES> counted{};
  for (u32 i = 0; i < nr_buffers; ++i) {
    buffer_head& bh = buffer_at(i);
    kassert(!bh.b_dirt || bh.b_uptodate);
    if (!bh.b_dev) continue;
    ++hashed;
    ++counted[disk_index(bh.b_dev)];
    kassert(find_buffer(bh.b_dev, bh.b_blocknr) == &bh);
  }
  for (hash_chain& chain : hash_table) chained += chain.size();
  kassert(chained == hashed && counted == heads_of_disk);
  policy->check();
}
