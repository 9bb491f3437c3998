#include "drivers/block/genhd.h"

#include <algorithm>

#include "hal/panic.h"

namespace {

constinit std::array<gendisk, NR_DISKS> disks{};
constinit block_device* ramdisk = nullptr;

gendisk& known_disk(dev_id disk) {
  gendisk* d = disk_of(disk);
  kassert(d && d->taken);
  return *d;
}

}  // namespace

gendisk* disk_of(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  return dev.major() == MAJOR_DISK && index < NR_DISKS ? &disks[index] : nullptr;
}

dev_id whole_disk(dev_id dev) {
  if (dev.major() != MAJOR_DISK) return dev;
  return dev_id(MAJOR_DISK, static_cast<u8>(dev.minor() / MINORS_PER_DISK * MINORS_PER_DISK));
}

std::array<char, 8> disk_name(dev_id dev) {
  std::array<char, 8> name{};
  if (dev.major() == MAJOR_RAM) return {'r', 'a', 'm', static_cast<char>('0' + dev.minor() % 10)};
  char* at = std::copy_n("sd", 2, name.begin());
  *at++ = static_cast<char>('a' + dev.minor() / MINORS_PER_DISK);
  const int number = dev.minor() % MINORS_PER_DISK;
  if (number >= 10) *at++ = '1';
  if (number > 0) *at = static_cast<char>('0' + number % 10);
  return name;
}

result<block_target> resolve(dev_id dev) {
  if (dev == dev_id(MAJOR_RAM, 0) && ramdisk)
    return block_target{ramdisk, lba{}, ramdisk->identity.sectors};
  const gendisk* d = disk_of(dev);
  if (!d || !d->taken) return fail(error::enxio);
  const partition& p = d->partitions[dev.minor() % MINORS_PER_DISK];
  if (p.sectors == 0) return fail(error::enxio);
  if (!d->device) return fail(error::enodev);
  return block_target{d->device, p.first, p.sectors};
}

result<u32> sectors_of(dev_id dev) {
  if (const auto target = resolve(dev)) return target->sectors;
  const gendisk* d = disk_of(dev);
  const u32 sectors = d && d->taken ? d->partitions[dev.minor() % MINORS_PER_DISK].sectors : 0;
  return sectors > 0 ? result<u32>(sectors) : fail(error::enxio);
}

result<dev_id> add_disk(block_device& device, const partition_table& partitions) {
  for (u8 i = 0; i < NR_DISKS; ++i) {
    if (disks[i].taken) continue;
    disks[i] = {&device, partitions, true};
    return dev_id(MAJOR_DISK, static_cast<u8>(i * MINORS_PER_DISK));
  }
  return fail(error::enfile);
}

void reattach_disk(dev_id disk, block_device& device) { known_disk(disk).device = &device; }
void detach_disk(dev_id disk) { known_disk(disk).device = nullptr; }
void release_disk(dev_id disk) { known_disk(disk) = {}; }
void set_ramdisk(block_device& device) { ramdisk = &device; }
