// Partition tables: an MBR and extended boot records that lead anywhere.
#include <cstring>

#include "drivers/block/genhd.h"
#include "hal/memory.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

constexpr u32 table_at = 446, table_size = 66;

// Each sector of the disk has one of the tables of the input; so every pointer leads to one.
class disk_of_tables final : public block_device {
 public:
  explicit disk_of_tables(std::span<const byte> tables) : tables_(tables) {
    identity.sectors = 1000;
  }

 private:
  void request_fn() override {
    while (request* r = next_request()) {
      u32 at = r->sector.value();
      for (buffer_head& bh : r->buffers)
        for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) read_sector(at++, bh.b_data + i * SECTOR_SIZE);
      end_request(*r, {});
    }
  }

  void read_sector(u32 number, byte* to) {
    std::memset(to, 0, SECTOR_SIZE);
    const size_t count = (tables_.size() + table_size - 1) / table_size;
    if (count == 0) return;
    const auto table = tables_.subspan(number % count * table_size);
    std::memcpy(to + table_at, table.data(), std::min<size_t>(table.size(), table_size));
    if (number > 0) std::memcpy(to + table_at + 64, "\x55\xaa", 2);
  }

  std::span<const byte> tables_;
};

void run(std::span<const byte> bytes) {
  disk_of_tables disk(bytes);
  const std::span<byte> scratch = allocate_pages(1);
  const auto table = read_partitions(disk, scratch.first(BLOCK_SIZE));
  free_pages(scratch);
  demand(table.has_value(), "a table that can be read is an error");
  demand((*table)[0].sectors == disk.identity.sectors, "the whole disk is not whole");
  for (const partition& each : *table)
    demand(u64{each.first.value()} + each.sectors <= disk.identity.sectors,
           "a partition reaches past the end");
}

}  // namespace

const target partition_tables{"partition_tables", [] {}, run};

}  // namespace fuzz
