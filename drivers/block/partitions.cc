// The partition table of a PC: the MBR, and the chain of extended boot records behind it.
#include "drivers/block/genhd.h"
#include "hal/panic.h"
#include "lib/endian.h"

namespace {

struct mbr_entry {
  u8 status;
  u8 first_chs[3];
  u8 type;
  u8 last_chs[3];
  le32 first_lba;
  le32 sectors;
};
static_assert(sizeof(mbr_entry) == 16);

struct boot_record {
  u8 code[446];
  mbr_entry entries[4];
  le16 signature;
};
static_assert(sizeof(boot_record) == SECTOR_SIZE);

constexpr u16 BOOT_SIGNATURE = 0xAA55;
constexpr u8 FIRST_LOGICAL = 5;

bool is_extended(u8 type) { return type == 0x05 || type == 0x0F || type == 0x85; }

bool has_table(const boot_record& record) {
  if (record.signature != BOOT_SIGNATURE) return false;
  for (const mbr_entry& e : record.entries)
    if ((e.status & 0x7F) != 0) return false;  // a FAT boot sector has the signature too
  return true;
}

// The partition that an entry describes; empty when the entry is unused or reaches past the end of
// the device. The entry's first sector counts from `base`.
partition as_partition(const mbr_entry& entry, u64 base, u32 device_sectors) {
  const u64 first = base + entry.first_lba;
  if (entry.type == 0 || entry.sectors == 0 || entry.first_lba == 0) return {};
  if (first + entry.sectors > device_sectors) return {};
  return {lba(static_cast<u32>(first)), entry.sectors, entry.type};
}

// Logical partitions: each extended boot record describes one and gives the place of the next
// record. At most as many records are read as the table has room for, so a chain that loops ends,
// too. `number` is that of the first one, and is raised by each: the next extended partition, if
// there are several, goes on with it.
result<void> read_logical(block_device& device, u32 extended, std::span<byte> scratch,
                          partition_table& table, u8& number) {
  const auto& record = *reinterpret_cast<const boot_record*>(scratch.data());
  u64 at = extended;
  while (number < MINORS_PER_DISK) {
    if (at + SECTORS_PER_BLOCK > device.identity.sectors) return {};
    TRY(read_blocks(device, lba(static_cast<u32>(at)), scratch));
    if (!has_table(record)) return {};
    table[number++] = as_partition(record.entries[0], at, device.identity.sectors);
    const mbr_entry& next = record.entries[1];
    if (!is_extended(next.type) || next.first_lba == 0) return {};
    at = u64{extended} + next.first_lba;
  }
  return {};
}

}  // namespace

result<partition_table> read_partitions(block_device& device, std::span<byte> scratch) {
  kassert(scratch.size() == BLOCK_SIZE);
  partition_table table{};
  table[0] = {lba{}, device.identity.sectors, 0};
  if (device.identity.sectors < SECTORS_PER_BLOCK) return table;
  TRY(read_blocks(device, lba{}, scratch));
  const boot_record mbr = *reinterpret_cast<const boot_record*>(scratch.data());
  if (!has_table(mbr)) return table;
  u8 number = FIRST_LOGICAL;
  for (u8 i = 0; i < 4; ++i) {
    table[i + 1u] = as_partition(mbr.entries[i], 0, device.identity.sectors);
    if (is_extended(mbr.entries[i].type) && table[i + 1u].sectors != 0)
      TRY(read_logical(device, table[i + 1u].first.value(), scratch, table, number));
  }
  return table;
}
