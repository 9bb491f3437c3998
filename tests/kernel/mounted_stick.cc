#include "tests/kernel/mounted_stick.h"

#include <gtest/gtest.h>

#include "tests/fs/minix_image.h"
#include "tests/pc/user.h"

namespace pc {

using call = abi::syscall;

mounted_stick::mounted_stick(u32 blocks, u32 inodes) : content_(sim::mkfs_minix(blocks, inodes)) {}

mounted_stick::~mounted_stick() {
  for (auto& each : plugged_) static_cast<void>(each.release());
}

void mounted_stick::plug() {
  plugged_.push_back(std::make_unique<stick>(content_));
  user::sleep_ms(100);
}

void mounted_stick::mount() {
  if (plugged_.empty()) {
    plug();
    user::call(call::mknod, user::text("/tmp/sda"), abi::s_ifblk | 0600, 8 << 8);
    user::call(call::mkdir, user::text("/mnt"), 0755);
  }
  ASSERT_EQ(user::call(call::mount, user::text("/tmp/sda"), user::text("/mnt"), 0, 0), 0);
}

void mounted_stick::umount() { ASSERT_EQ(user::call(call::umount, user::text("/mnt")), 0); }

void mounted_stick::remove() {
  umount();
  plugged_.clear();
  user::call(call::rmdir, user::text("/mnt"));
  user::call(call::unlink, user::text("/tmp/sda"));
}

void mounted_stick::push_out_of_cache() {
  const i32 disk = user::open("/tmp/sda");
  user::call(call::lseek, static_cast<u32>(disk), 150 * 1024, abi::seek_set);
  for (u32 i = 0; i < 120; ++i) user::read(disk, 1024);
  user::close(disk);
}

}  // namespace pc
