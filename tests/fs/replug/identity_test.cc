// Which stick is the missing one: everything that is known of it may refute, and only content that
// tells one stick from another accepts.
#include <gtest/gtest.h>

#include <cstring>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/write_buffers.h"
#include "fs/replug/replugd.h"
#include "fs/stamp.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr block_nr super{1};

std::optional<d_stamp> stamp_on(const medium& stick) {
  return stamp_in(
      std::span<const byte, BLOCK_SIZE>(stick.durable().data() + BLOCK_SIZE, BLOCK_SIZE));
}

void expect_nothing_written(const medium& stick) {
  EXPECT_EQ(stick.count(block_command::write), 0u);
}

// --- the stamp of a mounted file system

TEST(stamps, a_mount_is_durable_on_the_stick_before_anything_else) {
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_FALSE(stamp_on(stick));
    ASSERT_TRUE(process.mount());
    EXPECT_TRUE(stamp_on(stick)) << "nothing was synced since";
    EXPECT_EQ(held(), 0u);
    ASSERT_TRUE(process.umount());
    EXPECT_EQ(fsck_minix(stick.durable()), "");
  });
}

TEST(stamps, every_mount_has_another_one_of_the_same_file_system) {
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    const auto first = stamp_on(stick);
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    const auto second = stamp_on(stick);
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(same_file_system(*first, *second));
    EXPECT_FALSE(same_mount(*first, *second));
    EXPECT_EQ(u32{second->generation}, u32{first->generation} + 1);
    EXPECT_NE(std::memcmp(&first->nonce, &second->nonce, sizeof(first->nonce)), 0);
  });
}

TEST(stamps, a_mount_for_reading_writes_none) {
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    ASSERT_TRUE(process.umount());
    expect_nothing_written(stick);
  });
}

TEST(stamps, are_damaged_by_any_bit) {
  std::array<byte, BLOCK_SIZE> block{};
  const d_stamp stamp = [] {
    d_stamp made{};
    run(1, [&] { made = next_stamp(std::nullopt); });
    return made;
  }();
  std::memcpy(block.data() + STAMP_OFFSET, &stamp, sizeof(stamp));
  EXPECT_TRUE(stamp_in(block));
  for (u32 bit = 0; bit < sizeof(stamp) * 8; ++bit) {
    const byte mask = static_cast<byte>(1 << bit % 8);
    block[STAMP_OFFSET + bit / 8] ^= mask;
    EXPECT_FALSE(stamp_in(block)) << bit;
    block[STAMP_OFFSET + bit / 8] ^= mask;
  }
}

// The stick is pulled at every step of a mount: it comes back as the same, and the mount goes on.
TEST(stamps, a_mount_may_be_cut_anywhere) {
  for (u64 step = 1; step < 30; ++step)
    for (const u64 seed : {1u, 2u, 3u}) {
      medium stick(mkfs_minix(mounted_blocks));
      run(seed, [&] {
        session process(boot_with_root());
        plug_as(stick, sda);
        stick.pull_at(stick.steps() + step, {});
        auto mounting = spawn("mount", [&] { EXPECT_TRUE(process.mount()) << step; });
        sleep_for(1_s);
        if (!stick.plugged()) plug_as(stick, sda);
        mounting.join();
        stick.pull_at(~u64{0}, {});
        EXPECT_TRUE(stamp_on(stick)) << step;
        ASSERT_TRUE(process.write("/mnt/file", "x")) << step;
        ASSERT_TRUE(process.umount()) << step;
        EXPECT_EQ(fsck_minix(stick.durable()), "");
      });
    }
}

// Two sticks from one image, one of them mounted here, and nothing of it in the cache any more.
TEST(stamps, tell_a_mounted_stick_from_its_sibling) {
  std::vector<byte> image;
  medium first(mkfs_minix(2048));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(first, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/report", std::string(8192, 'a')));
    ASSERT_TRUE(process.write("/mnt/big", std::string(300'000, 'b')));
    ASSERT_TRUE(process.umount());
    image.assign(first.durable().begin(), first.durable().end());
  });
  medium mine(image), sibling(image);
  run(1, [&] {
    session process(boot_with_root({.buffers = 64}));
    plug_as(mine, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.read("/mnt/big"));
    ASSERT_TRUE(process.overwrite("/mnt/report", std::string(8192, 'c')));
    pull_from(mine, sda);
    sibling.plug();
    sleep_for(5_s);
    expect_nothing_written(sibling);
    EXPECT_EQ(state_of(sda), volume_state::conflict);
    sibling.pull();
    plug_as(mine, sda);
    EXPECT_EQ(*process.read("/mnt/report"), std::string(8192, 'c'));
    EXPECT_TRUE(process.umount());
  });
}

// All but the stamp is the same, and the superblock is not in the cache: another stick, whose stamp
// is gone or a later one.
TEST(stamps, tell_alone) {
  for (const bool is_later : {false, true}) {
    medium mine(mkfs_minix(2048)), other(std::vector<byte>(2048 * BLOCK_SIZE));
    run(1, [&] {
      session process(boot_with_root({.buffers = 64}));
      plug_as(mine, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/report", std::string(8192, 'a')));
      ASSERT_TRUE(process.write("/mnt/big", std::string(300'000, 'b')));
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.read("/mnt/big"));
      ASSERT_TRUE(process.overwrite("/mnt/report", std::string(8192, 'c')));
      ASSERT_FALSE(get_hash_table(sda, super));
      pull_from(mine, sda, {.loss = cache_loss::all});
      std::ranges::copy(mine.durable(), other.bytes().begin());
      std::optional<d_stamp> stamp = stamp_on(mine);
      ASSERT_TRUE(stamp);
      *stamp = is_later ? next_stamp(stamp) : d_stamp{};
      std::memcpy(other.bytes().data() + BLOCK_SIZE + STAMP_OFFSET, &*stamp, sizeof(*stamp));
      other.plug();
      await_state(sda, volume_state::conflict);
      expect_nothing_written(other);
      other.pull();
      plug_as(mine, sda);
      EXPECT_TRUE(process.umount());
    });
  }
}

// A stick with the stamp of another file system is another stick, though the layout is the same.
TEST(stamps, of_another_file_system_are_of_another_stick) {
  medium other(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    sleep_for(123_ms);  // numbers are drawn from the time
    plug_as(other, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.umount());
    other.pull();
  });
  with_mounted_stick([&](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    other.clear_log();
    other.plug();
    await_state(sdb, volume_state::live);
    expect_nothing_written(other);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    plug_as(stick, sda);
  });
}

// The same stick, mounted by another machine with this kernel meanwhile, and unchanged otherwise.
TEST(stamps, a_later_one_is_a_change_elsewhere) {
  with_mounted_stick([&](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    auto stamp = stamp_on(stick);
    ASSERT_TRUE(stamp);
    *stamp = next_stamp(stamp);
    std::memcpy(stick.bytes().data() + BLOCK_SIZE + STAMP_OFFSET, &*stamp, sizeof(*stamp));
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_TRUE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
    EXPECT_FALSE(same_mount(*stamp_on(stick), *stamp)) << "ours again";
    write_and_pull(stick, process, "/mnt/second", "y");
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// Nothing that is remembered of the stick from before the change makes another conflict. Another
// machine has changed an inode whose block is cached and not held.
TEST(stamps, a_forced_stick_comes_back_like_any_other) {
  for (const bool is_in_use : {false, true})
    with_mounted_stick([=](medium& stick, session& process) {
      const auto name = [](u32 n) { return "/mnt/f" + std::to_string(n); };
      for (u32 n = 0; n < 40; ++n) ASSERT_TRUE(process.write(name(n), "x"));
      for (u32 n = 0; n < 3; ++n) ASSERT_TRUE(process.unlink(name(n)));  // new files come here
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.read(name(39)));  // inode 41: the ninth of the second block
      std::optional<opened> in_use;
      if (is_in_use) in_use.emplace(process.context(), name(39), abi::o_rdonly);
      write_and_pull(stick, process, "/mnt/file", "x");
      constexpr u32 uid = 5 * BLOCK_SIZE + 8 * 32 + 2;
      stick.bytes()[uid] ^= byte{1};
      stick.plug();
      await_state(sda, volume_state::conflict);
      EXPECT_TRUE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
      write_and_pull(stick, process, "/mnt/second", "y");
      plug_as(stick, sda);
      EXPECT_EQ(*process.read("/mnt/second"), "y");
      in_use.reset();
      EXPECT_TRUE(process.umount());
    });
}

// The stick is pulled while it is forced: the time and the reminders go on.
TEST(stamps, a_stick_that_is_pulled_while_it_is_forced_is_missed_again) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[2 * BLOCK_SIZE + 5] ^= byte{0x10};
    stick.plug();
    await_state(sda, volume_state::conflict);
    sleep_for(50_s);
    stick.least_latency = stick.most_latency = 1_s;
    const fiber forcing = spawn("ckpt", [] {
      EXPECT_EQ(checkpoint::force_volume(*checkpoint::volume_of(sda)), fail(error::enodev));
    });
    sleep_for(500_ms);
    pull_from(stick, sda);
    forcing.join();
    here().clear_console();
    sleep_for(3_s);
    EXPECT_TRUE(said("waiting for it")) << "the reminder";
    sleep_for(300_s);
    EXPECT_TRUE(said("LOST"));
    static_cast<void>(process.umount());
  });
}

TEST(stamps, a_forced_stick_is_marked_for_fsck) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/a", "1"));
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[2 * BLOCK_SIZE + 5] ^= byte{0x10};  // the inode bitmap
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_TRUE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
    EXPECT_NE(minix_image(stick.durable()).state() & 2, 0) << "durable at once";
    EXPECT_TRUE(process.umount());
    EXPECT_NE(minix_image(stick.durable()).state() & 2, 0);
  });
}

// Another stick of the same model is exchanged for the one that is being mounted.
TEST(stamps, a_mount_that_goes_on_is_compared_too) {
  for (int ms = 0; ms < 60; ++ms) {
    medium stick(mkfs_minix(mounted_blocks)), other(mkfs_minix(mounted_blocks, 32));
    run(1, [&] {
      session process(boot_with_root());
      stick.least_latency = stick.most_latency = 5_ms;
      plug_as(stick, sda);
      auto mounting = spawn("mount", [&] { static_cast<void>(process.mount()); });
      sleep_for(duration{ms * (1_ms).ns});
      pull_from(stick, sda);
      other.plug();
      sleep_for(1_s);
      expect_nothing_written(other);
      stick.plug();
      mounting.join();
      sleep_for(5_s);
      static_cast<void>(process.umount());
      expect_nothing_written(other);
    });
  }
}

// --- raw disks

void overwrite_unread(u32 first, u32 end) {
  for (u32 i = first; i < end; ++i) ASSERT_TRUE(fill_block(sda, i, 0x55));
}

TEST(raw_disks, another_stick_of_the_model_is_told_by_what_it_has) {
  medium wrong(std::vector<byte>(numbered_blocks * BLOCK_SIZE, byte{0xEE}));
  with_stick([&](medium& stick) {
    overwrite_unread(20, 60);
    pull_from(stick, sda);
    wrong.plug();
    sleep_for(5_s);
    expect_nothing_written(wrong);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(held(), 40u);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

// Sticks that differ at one of the places alone.
TEST(raw_disks, each_place_tells) {
  for (u32 eighth = 0; eighth < 8; ++eighth)
    with_stick([&](medium& stick) {
      medium other(numbered_image());
      const u32 block = eighth == 1 ? 1 : numbered_blocks * eighth / 8;
      other.bytes()[block * BLOCK_SIZE + 100] ^= byte{1};
      overwrite_unread(20, 30);
      pull_from(stick, sda);
      other.plug();
      sleep_for(5_s);
      expect_nothing_written(other);
      EXPECT_NE(state_of(sda), volume_state::live) << eighth;
      other.pull();
      sleep_for(1_s);
      plug_as(stick, sda);
    });
}

TEST(raw_disks, what_we_have_written_at_the_places_is_expected_there) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      overwrite_unread(0, 300);
      ASSERT_TRUE(sync_dev(sda));
      for (u32 i = 250; i < 300; ++i) ASSERT_TRUE(fill_block(sda, i, 0x66));
      if (random_chance(2)) static_cast<void>(write_buffers(sda));
      pull_from(stick, sda);
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u);
    });
  });
}

// Nothing tells an empty stick from another one. It is not written to before the user says so.
TEST(raw_disks, an_empty_stick_is_not_taken_for_the_missing_one) {
  medium stick(std::vector<byte>(512 * BLOCK_SIZE)), other(std::vector<byte>(512 * BLOCK_SIZE));
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    overwrite_unread(20, 30);
    pull_from(stick, sda);
    for (medium* each : {&other, &stick}) {
      each->plug();
      await_state(sda, volume_state::conflict);
      expect_nothing_written(*each);
      EXPECT_TRUE(said("may be the missing stick or another one that is as empty"));
      if (each == &other) other.pull(), sleep_for(1_s);
    }
    EXPECT_TRUE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
    EXPECT_TRUE(block_is(stick.durable(), 20, 0x55));
    EXPECT_EQ(held(), 0u);
  });
}

// Our stick was empty and was overwritten unread; this other one is not taken for it.
void expect_no_proof(medium& other) {
  medium stick(std::vector<byte>(512 * BLOCK_SIZE));
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    overwrite_unread(20, 30);
    pull_from(stick, sda);
    other.plug();
    await_state(sda, volume_state::conflict);
    expect_nothing_written(other);
  });
}

// What stands where a block was overwritten unread tells nothing, either.
TEST(raw_disks, what_another_stick_has_where_we_wrote_unread_is_no_proof) {
  medium other(std::vector<byte>(512 * BLOCK_SIZE));
  std::fill_n(other.bytes().begin() + 20 * BLOCK_SIZE, 10 * BLOCK_SIZE, byte{0x33});
  expect_no_proof(other);
}

// Only the sectors that were compared are proofs, not their neighbours.
TEST(raw_disks, what_stands_beside_a_place_is_no_proof) {
  medium other(std::vector<byte>(512 * BLOCK_SIZE));
  other.bytes()[SECTOR_SIZE + 5] = byte{1};
  expect_no_proof(other);
}

TEST(raw_disks, an_empty_stick_with_something_of_ours_on_it_is) {
  medium stick(std::vector<byte>(512 * BLOCK_SIZE));
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    overwrite_unread(0, 10);
    ASSERT_TRUE(sync_dev(sda));
    overwrite_unread(20, 30);
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

// A partition table that we have written is ours.
TEST(raw_disks, the_table_that_we_have_written_is_expected) {
  medium stick(numbered_image());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    std::string mbr(1024, '\0');
    mbr[446 + 4] = '\x81';
    mbr[446 + 8] = 64;
    mbr[446 + 12] = 100;
    mbr[510] = '\x55';
    mbr[511] = '\xAA';
    opened disk(process.context(), "/dev/sda", abi::o_rdwr);
    ASSERT_TRUE(disk.write(mbr));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(disk.write(std::string(20 * 1024, 'z')));
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

TEST(raw_disks, another_table_is_of_another_stick) {
  with_stick([](medium& stick) {
    overwrite_unread(20, 30);
    pull_from(stick, sda);
    for (const u32 at : {446u + 4, 510u, 511u}) stick.bytes()[at] = byte{0x81};
    stick.plug();
    await_state(sdb, volume_state::live);
    EXPECT_EQ(state_of(sda), volume_state::absent);
  });
}

// A place that the stick cannot read is not known of it; the stick gets its name all the same.
TEST(raw_disks, an_unreadable_place_keeps_no_stick_from_its_name) {
  medium stick(numbered_image());
  stick.fault = [](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
    const u32 half = numbered_blocks;  // in sectors
    const bool hit = first.value() <= half && half < first.value() + sectors;
    return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
  };
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    overwrite_unread(20, 30);
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

}  // namespace
