// genhd: the names of block devices, and which device each name means now.
//
// /dev/ram0 is 1,0. USB sticks are SCSI disks as in Linux: major 8, sixteen minors each, the first
// one the whole disk and the others its partitions (/dev/sda is 8,0, /dev/sda1 8,1, /dev/sdb 8,16).
// A stick that was pulled with unwritten blocks keeps its name until it is back or given up, so a
// mounted file system stays mounted.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "drivers/block/block_device.h"

constexpr u8 MAJOR_RAM = 1;
constexpr u8 MAJOR_DISK = 8;
constexpr u8 MINORS_PER_DISK = 16;
constexpr u8 NR_DISKS = 8;

struct partition {
  lba first;
  u32 sectors = 0;  // 0: no such partition
  u8 type = 0;
  bool operator==(const partition&) const = default;
};
using partition_table = std::array<partition, MINORS_PER_DISK>;  // [0] is the whole disk

struct gendisk {
  block_device* device = nullptr;  // null while nothing is plugged in
  partition_table partitions{};
  bool taken = false;  // the name is in use: plugged in, or kept for an absent stick
};

// What a device name means now: a range of sectors on a device.
struct block_target {
  block_device* device;
  lba first;
  u32 sectors;
};
// Errors: enxio for a name without a disk or partition, enodev for a disk that is pulled.
result<block_target> resolve(dev_id dev);

// The whole disk that a name is part of: 8,1 → 8,0.
dev_id whole_disk(dev_id dev);
// "sda1" and the like, NUL-terminated.
std::array<char, 8> disk_name(dev_id dev);

// How many sectors the name has, also while its disk is pulled. Errors: enxio.
result<u32> sectors_of(dev_id dev);

gendisk* disk_of(dev_id dev);  // null for a name that no disk can have

// Gives a medium the first free name. Errors: enfile when all are taken.
result<dev_id> add_disk(block_device& device, const partition_table& partitions);
// The medium has returned: the name that was kept for it means this device now.
void reattach_disk(dev_id disk, block_device& device);
// The medium is gone; the name is kept.
void detach_disk(dev_id disk);
// The name is free again.
void release_disk(dev_id disk);

void set_ramdisk(block_device& device);

// Reads the partition table: the four primary partitions of the MBR, and the logical ones, up to
// the size of partition_table. A medium without a valid table has the whole disk only. Entries that
// reach past the end of the medium are left out. `scratch` is a block of memory from
// allocate_pages; the caller provides it, so a table can be read when no memory is free. Sleeps.
// Errors: eio, enodev.
result<partition_table> read_partitions(block_device& device, std::span<byte> scratch);
