// For tests of mounting: a root stick with /mnt, and a second stick that may be pulled.
#pragma once

#include <gtest/gtest.h>

#include "fs/read_super.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"

// The root is judged at the end.
class Mount : public testing::Test {
 protected:
  sim::medium root{sim::mkfs_minix(512)};
  sim::medium stick{sim::mkfs_minix(1024, 64, 14), "SECOND"};

  // Both sticks plugged in, the second with a device file, /sdb.
  void in_machine(const std::function<void(fs_context&)>& body, u64 seed = 1);
  // What in_machine made on the root, for tests that come back to it.
  static void unfurnish(fs_context& ctx);
  // The second stick is made anew and mounted; while `body` runs it is pulled and plugged, and
  // stays away for less than io_wait, so that no call gets an error. It is judged at the end.
  void while_it_is_pulled(u64 seed, const std::function<void(fs_context&)>& body);
  std::vector<byte> stick_bytes() { return {stick.durable().begin(), stick.durable().end()}; }
  u16 stored_state();
  void put_super(u32 offset, u16 value);
};
