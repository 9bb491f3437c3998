// What a pulled stick does to a mounted file system, and to its unmounting.
#include "fs/buffer/invalidate.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/mount_fixture.h"
#include "tests/fs/name_model.h"
#include "tests/fs/session.h"

using namespace sim;
using checkpoint::volume_state;

namespace {

TEST_F(Mount, WhileTheStickIsAway) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_OK(write_to(ctx, "/mnt/f", pattern(30'000)));
    pull_from(stick, sdb);
    EXPECT_EQ(read_from(ctx, "/mnt/f"), pattern(30'000)) << "cached reads go on";
    const fiber leaver = spawn("umount", [&] {
      fs_context mine = ctx.copy();
      EXPECT_OK(umount_path(mine, "/mnt", false));
    });
    sleep_for(60_s);
    EXPECT_FALSE(leaver.ended()) << "it waits for what is unwritten";
    EXPECT_ERROR(error::ebusy, stat_path(ctx, "/mnt"));
    stick.plug();
    leaver.join();
    EXPECT_OK(sys_sync());
  });
  judge(stick.durable());
  EXPECT_EQ(minix_image(stick.durable()).files().at("/f").content, pattern(30'000));
}

TEST_F(Mount, UmountCanBeInterrupted) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_OK(write_to(ctx, "/mnt/f", pattern(3000)));
    pull_from(stick, sdb);
    const fiber leaver = spawn("umount", [&] {
      fs_context mine = ctx.copy();
      EXPECT_ERROR(error::eintr, umount_path(mine, "/mnt", false));
    });
    sleep_for(1_s);
    leaver.signal();
    leaver.join();
    stick.plug();
    await_state(sdb, volume_state::live);
    EXPECT_EQ(read_from(ctx, "/mnt/f"), pattern(3000));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  judge(stick.durable());
}

TEST_F(Mount, ForceGivesUpWhatIsUnwritten) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    opened f(ctx, "/mnt/f", abi::o_creat | abi::o_rdwr);
    EXPECT_EQ(f.write(pattern(3000)), 3000u);
    pull_from(stick, sdb);
    EXPECT_ERROR(error::eio, sync_file(*f)) << "waits io_wait, keeps everything";
    EXPECT_OK(umount_path(ctx, "/mnt", true));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/f"));
    EXPECT_ERROR(error::eio, f.write("x"));
    EXPECT_ERROR(error::eio, f.read(1));
    EXPECT_ERROR(error::eio, stat_file(*f));
    EXPECT_ERROR(error::eio, sync_file(*f));
    // The stick is another one now, and may be mounted while the old file is still open.
    stick.plug();
    await_state(sdb, volume_state::live);
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_TRUE(said("given up"));
    EXPECT_OK(write_to(ctx, "/mnt/new", "x"));
    EXPECT_ERROR(error::eio, f.write("x"));
    EXPECT_ERROR(error::eio, f.close());
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  EXPECT_NE(stored_state() & 2, 0) << "fsck is wanted";
}

TEST_F(Mount, ADeadVolumeAnswersEioAndCanBeUnmounted) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_OK(write_to(ctx, "/mnt/f", pattern(3000)));
    opened f(ctx, "/mnt/f", abi::o_rdwr);
    fs_context inside = ctx.copy();
    EXPECT_OK(change_directory(inside, "/mnt"));
    pull_from(stick, sdb);
    sleep_for(300_s);
    await_state(sdb, volume_state::dead);
    for (int twice = 0; twice < 2; ++twice) {
      EXPECT_ERROR(error::eio, f.read(1));
      EXPECT_ERROR(error::eio, f.write("x"));
      EXPECT_ERROR(error::eio, sync_file(*f));
      EXPECT_ERROR(error::eio, stat_path(ctx, "/mnt/f"));
      EXPECT_ERROR(error::eio, stat_path(inside, "f"));
    }
    EXPECT_ERROR(error::eio, umount_path(ctx, "/mnt", false));
    EXPECT_ERROR(error::eio, stat_path(inside, "f"));
    EXPECT_ERROR(error::eio, write_to(inside, "g", "x"));
    std::array<char, 64> name;
    EXPECT_ERROR(error::eio, current_directory(inside, name));
    EXPECT_ERROR(error::eio, f.close());
  });
}

TEST_F(Mount, AFileUnlinkedDuringAnAbsenceIsFreedAfterwards) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    opened f(ctx, "/mnt/f", abi::o_creat | abi::o_rdwr);
    EXPECT_EQ(f.write(pattern(30'000)), 30'000u);
    EXPECT_OK(unlink_path(ctx, "/mnt/f"));
    pull_from(stick, sdb);
    const instant before = now();
    EXPECT_OK(f.close());
    EXPECT_LT((now() - before).seconds(), 1) << "close does not wait for a stick";
    stick.plug();
    await_state(sdb, volume_state::live);
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  judge(stick.durable());
}

TEST_F(Mount, WritersWaitForTheStick) {
  for_each_seed(10, [&](u64 seed) {
    in_machine(
        [&](fs_context& ctx) {
          EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
          const fiber writer = spawn("writer", [&] {
            fs_context mine = ctx.copy();
            for (u32 i = 0; i < 8; ++i)
              EXPECT_OK(write_to(mine, "/mnt/f" + std::to_string(i), pattern(40'000, i)));
          });
          sleep_for(duration{static_cast<i64>(random_below(20'000'000))});
          pull_from(stick, sdb);
          sleep_for(5_s);
          stick.plug();
          await_state(sdb, volume_state::live);
          writer.join();
          for (u32 i = 0; i < 8; ++i)
            EXPECT_EQ(read_from(ctx, "/mnt/f" + std::to_string(i)), pattern(40'000, i));
          for (u32 i = 0; i < 8; ++i) EXPECT_OK(unlink_path(ctx, "/mnt/f" + std::to_string(i)));
          EXPECT_OK(umount_path(ctx, "/mnt", false));
          unfurnish(ctx);
        },
        seed);
    judge(stick.durable());
  });
}

TEST_F(Mount, NothingIsLostHoweverOftenItIsPulled) {
  for_each_seed(40, [&](u64 seed) {
    name_model expected;
    while_it_is_pulled(seed, [&](fs_context& ctx) {
      for (u32 i = 0; i < 80 && !HasFailure(); ++i) {
        step_both(ctx, "/mnt", expected, i);
        if (random_chance(10)) static_cast<void>(sys_sync());
        sleep_for(duration{static_cast<i64>(random_below(10'000'000))});
      }
    });
    expect_same(minix_image(stick.durable()), expected);
  });
}

TEST_F(Mount, StaysWholeWhenManyWriteAndItIsPulled) {
  for_each_seed(40, [&](u64 seed) {
    while_it_is_pulled(seed, [&](fs_context& ctx) {
      in_parallel(3, [&](u32) {
        fs_context mine = ctx.copy();
        for (u32 i = 0; i < 50; ++i) {
          step_alone(mine, "/mnt");
          if (random_chance(8)) static_cast<void>(sys_sync());
        }
      });
    });
  });
}

// getcwd goes up from the root of the second stick and waits for a block of the first; meanwhile
// the second file system is taken away by force.
TEST_F(Mount, GetcwdFromAFileSystemThatIsForcedAway) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    fs_context inside = ctx.copy();
    EXPECT_OK(change_directory(inside, "/mnt"));
    EXPECT_OK(sys_sync());
    drop_clean_buffers(sda);
    EXPECT_OK(stat_path(ctx, "/sdb"));  // the root directory is cached again, /mnt is not
    root.least_latency = root.most_latency = 5_s;
    const fiber asking = spawn("getcwd", [&] {
      std::array<char, 64> path{};
      EXPECT_ERROR(error::eio, current_directory(inside, path));
      inside = {};
    });
    sleep_for(1_s);
    EXPECT_FALSE(asking.ended());
    pull_from(stick, sdb);
    EXPECT_OK(umount_path(ctx, "/sdb", true));
    EXPECT_FALSE(asking.ended()) << "it was to sleep over the umount";
    asking.join();
    root.least_latency = root.most_latency = 1_ms;
  });
  judge(root.durable());
}

// A process writes to the stick's device file, past the file system, while that is unmounted. What
// it has written last is durable once its fsync has said so.
TEST(RawWriter, KeepsItsBlocksAtAnUmount) {
  constexpr u32 position = 390 * BLOCK_SIZE;
  for_each_seed(40, [&](u64 seed) {
    medium stick(mkfs_minix(400));
    run(seed, [&] {
      session process(boot_with_root({.buffers = 256}));
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/file", "x"));
      opened f(process.context(), "/dev/sda", abi::o_rdwr);
      bool over = false;
      char last = 'a';
      auto writer = spawn("writer", [&] {
        for (char next = 'a'; !over; next = next == 'z' ? 'a' : static_cast<char>(next + 1)) {
          (*f).f_pos = position;
          if (f.write(std::string(BLOCK_SIZE, next))) last = next;
          sleep_for(duration{static_cast<i64>(random_below(1'500'000))});
        }
      });
      ASSERT_TRUE(process.umount());
      over = true;
      writer.join();
      EXPECT_TRUE(sync_file(*f));
      EXPECT_EQ(static_cast<char>(stick.durable()[position]), last) << "seed " << seed;
      EXPECT_EQ(checkpoint::held_blocks(*checkpoint::volume_of(sda)), 0u) << "seed " << seed;
    });
  });
}

}  // namespace
