// Mounting, unmounting, and what a pulled stick does to both.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/name_model.h"

using namespace sim;
using checkpoint::volume_state;

namespace {

constexpr u16 sdb_number = 8 << 8 | 16;

std::vector<byte> copy_of(const medium& stick) {
  return {stick.durable().begin(), stick.durable().end()};
}

// A root stick with /mnt and /dev/sdb, and a second stick that may be pulled. The root is judged at
// the end.
class Mount : public testing::Test {
 protected:
  medium root{mkfs_minix(512)};
  medium stick{mkfs_minix(1024, 64, 14), "SECOND"};

  void in_machine(const std::function<void(fs_context&)>& body, u64 seed = 1) {
    {
      world machine({.seed = seed});
      machine.run([&] {
        boot({.hold = 300_s, .io_wait = 30_s});
        fs_init();
        plug_as(root, sda);
        {
          result<fs_context> ctx = mount_root(sda);
          ASSERT_TRUE(ctx);
          EXPECT_OK(make_directory(*ctx, "/mnt", 0755));
          EXPECT_OK(make_node(*ctx, "/sdb", abi::s_ifblk | 0600, dev_id(sdb_number)));
          plug_as(stick, sdb);
          body(*ctx);
          check_buffer_invariants();
        }
        umount_all();
        for (medium* each : {&root, &stick})
          if (each->plugged()) each->pull();
      });
    }
    judge(root.durable());
  }
  // What in_machine made on the root, for tests that come back to it.
  static void unfurnish(fs_context& ctx) {
    EXPECT_OK(unlink_path(ctx, "/sdb"));
    EXPECT_OK(remove_directory(ctx, "/mnt"));
  }
  void stick_is_new() { std::ranges::copy(mkfs_minix(1024, 64, 14), stick.bytes().begin()); }
  u16 stored_state() {
    u16 state;
    std::memcpy(&state, stick.durable().data() + 1024 + 18, sizeof state);
    return state;
  }
  void put_super(u32 offset, u16 value) {
    std::memcpy(stick.bytes().data() + 1024 + offset, &value, sizeof value);
  }
};

TEST_F(Mount, TheInodesOfADirectoryAreReadTogether) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    for (u32 i = 0; i < 60; ++i) EXPECT_OK(write_to(ctx, "/mnt/f" + std::to_string(i), ""));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    stick.clear_log();
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    for (u32 i = 0; i < 60; ++i) EXPECT_OK(stat_path(ctx, "/mnt/f" + std::to_string(i)));
    const auto of_inodes = [](const command_record& c) {
      return c.cmd == block_command::read && c.first.value() / SECTORS_PER_BLOCK >= 4 &&
             c.first.value() / SECTORS_PER_BLOCK < 6;
    };
    EXPECT_EQ(std::ranges::count_if(stick.log(), of_inodes), 1) << "two blocks of inodes";
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
}

TEST_F(Mount, AndUmountAgain) {
  in_machine([&](fs_context& ctx) {
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/f"));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_OK(write_to(ctx, "/mnt/f", pattern(50'000)));
    EXPECT_EQ(stat_path(ctx, "/mnt")->ino, 1u);
    EXPECT_EQ(stat_path(ctx, "/mnt/..")->dev, sda.value());
    EXPECT_EQ(statfs_path(ctx, "/mnt")->namelen, 14u);
    EXPECT_OK(sys_sync());
    EXPECT_EQ(stored_state() & 1, 0) << "in use";
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_EQ(stored_state() & 1, 1);
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/f"));
    EXPECT_ERROR(error::einval, umount_path(ctx, "/mnt", false));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_EQ(read_from(ctx, "/mnt/f"), pattern(50'000));
    EXPECT_OK(umount_path(ctx, "/sdb", false));
  });
  judge(stick.durable());
  EXPECT_EQ(minix_image(stick.durable()).files().at("/f").content, pattern(50'000));
}

TEST_F(Mount, KnowsItsPlaceInTheTree) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/mnt/below", 0755));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/below"));
    EXPECT_OK(make_directory(ctx, "/mnt/d", 0755));
    EXPECT_OK(change_directory(ctx, "/mnt/d"));
    std::array<char, 64> name{};
    EXPECT_OK(current_directory(ctx, name));
    EXPECT_STREQ(name.data(), "/mnt/d");
    EXPECT_OK(change_directory(ctx, "../.."));
    EXPECT_OK(current_directory(ctx, name));
    EXPECT_STREQ(name.data(), "/");
    EXPECT_OK(write_to(ctx, "/f", "x"));
    EXPECT_ERROR(error::exdev, rename_path(ctx, "/f", "/mnt/f"));
    EXPECT_ERROR(error::exdev, link_path(ctx, "/f", "/mnt/f"));
    EXPECT_ERROR(error::ebusy, rename_path(ctx, "/mnt", "/other"));
    EXPECT_ERROR(error::ebusy, remove_directory(ctx, "/mnt"));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_OK(stat_path(ctx, "/mnt/below"));
  });
}

TEST_F(Mount, RefusesWhatItMust) {
  in_machine([&](fs_context& ctx) {
    EXPECT_ERROR(error::enotblk, mount_path(ctx, "/mnt", "/mnt", 0));
    EXPECT_ERROR(error::enotdir, mount_path(ctx, "/sdb", "/sdb", 0));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sdb", "/", 0));
    EXPECT_OK(make_node(ctx, "/sdc", abi::s_ifblk | 0600, dev_id(8, 32)));
    EXPECT_ERROR(error::enxio, mount_path(ctx, "/sdc", "/mnt", 0));
    EXPECT_OK(make_node(ctx, "/sda", abi::s_ifblk | 0600, sda));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sda", "/mnt", 0));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sdb", "/mnt", 0));
    {
      const opened f(ctx, "/mnt/f", abi::o_creat | abi::o_wronly);
      EXPECT_ERROR(error::ebusy, umount_path(ctx, "/mnt", false));
      EXPECT_ERROR(error::ebusy, umount_path(ctx, "/mnt", true));
      EXPECT_EQ(f.write("still works"), 11u);
    }
    EXPECT_ERROR(error::ebusy, umount_path(ctx, "/", false));
    fs_context user = ctx.copy();
    user.euid = 7;
    EXPECT_ERROR(error::eperm, umount_path(user, "/mnt", false));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_ERROR(error::eperm, mount_path(user, "/sdb", "/mnt", 0));
  });
}

TEST_F(Mount, ReadOnlyWritesNothing) {
  const std::vector<byte> before = [&] {
    in_machine([&](fs_context& ctx) {
      EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
      EXPECT_OK(write_to(ctx, "/mnt/f", "text"));
      EXPECT_OK(umount_path(ctx, "/mnt", false));
      unfurnish(ctx);
    });
    return copy_of(stick);
  }();
  for (bool protect : {false, true}) {
    stick.write_protected = protect;
    in_machine([&](fs_context& ctx) {
      EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", protect ? 0 : abi::ms_rdonly));
      EXPECT_EQ(read_from(ctx, "/mnt/f"), "text");
      EXPECT_ERROR(error::erofs, write_to(ctx, "/mnt/f", "x"));
      EXPECT_ERROR(error::erofs, write_to(ctx, "/mnt/g", "x"));
      EXPECT_ERROR(error::erofs, unlink_path(ctx, "/mnt/f"));
      EXPECT_ERROR(error::erofs, make_directory(ctx, "/mnt/d", 0755));
      EXPECT_ERROR(error::erofs, rename_path(ctx, "/mnt/f", "/mnt/g"));
      EXPECT_ERROR(error::erofs, chmod_path(ctx, "/mnt/f", 0600));
      EXPECT_ERROR(error::erofs, truncate_path(ctx, "/mnt/f", 0));
      EXPECT_ERROR(error::erofs, access_path(ctx, "/mnt/f", 2));
      if (protect) {
        EXPECT_ERROR(error::erofs, open_file(ctx, "/sdb", abi::o_rdwr, 0));
      }
      EXPECT_OK(umount_path(ctx, "/mnt", false));
      unfurnish(ctx);
    });
    EXPECT_EQ(copy_of(stick), before);
  }
}

TEST_F(Mount, KeepsTheStateThatItFound) {
  put_super(18, 0);
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_TRUE(said("not unmounted cleanly"));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  EXPECT_EQ(stored_state(), 0) << "only fsck may say that it is valid again";
}

// One nonsense in the superblock at a time.
TEST_F(Mount, RefusesSuperblocksThatMakeNoSense) {
  struct nonsense {
    u32 offset;
    u16 value;
  };
  const std::vector<byte> good = copy_of(stick);
  for (const nonsense& n : std::initializer_list<nonsense>{{0, 0},
                                                           {0, 60000},
                                                           {2, 0},
                                                           {2, 1025},
                                                           {4, 0},
                                                           {4, 0xFFFF},
                                                           {6, 0},
                                                           {6, 9},
                                                           {8, 0},
                                                           {8, 3},
                                                           {8, 1024},
                                                           {10, 1},
                                                           {16, 0x2468},
                                                           {16, 0}}) {
    SCOPED_TRACE(std::to_string(n.offset) + " = " + std::to_string(n.value));
    put_super(n.offset, n.value);
    in_machine([&](fs_context& ctx) {
      EXPECT_ERROR(error::einval, mount_path(ctx, "/sdb", "/mnt", 0));
      unfurnish(ctx);
    });
    std::ranges::copy(good, stick.bytes().begin());
  }
}

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

// Pulls and plugs until it is told to stop; away for less than io_wait, so that nobody gets an
// error.
class puller {
 public:
  explicit puller(medium& stick) : stick_(stick) {}
  void play() {
    while (!stopped_) {
      sleep_for(duration{static_cast<i64>(random_below(60'000'000))});
      constexpr cache_loss losses[] = {cache_loss::none, cache_loss::all, cache_loss::some};
      constexpr in_flight fates[] = {in_flight::old_content, in_flight::new_content,
                                     in_flight::torn};
      pull_from(stick_, sdb, {losses[random_below(3)], fates[random_below(3)]});
      sleep_for(duration{static_cast<i64>(random_below(3'000'000'000))});
      stick_.plug();
      await_state(sdb, volume_state::live);
    }
  }
  void stop() { stopped_ = true; }

 private:
  medium& stick_;
  bool stopped_ = false;
};

TEST_F(Mount, NothingIsLostHoweverOftenItIsPulled) {
  for_each_seed(40, [&](u64 seed) {
    name_model expected;
    SCOPED_TRACE("seed " + std::to_string(seed));
    stick_is_new();
    in_machine(
        [&](fs_context& ctx) {
          EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
          puller hand(stick);
          const fiber pulling = spawn("hand", [&] { hand.play(); });
          for (u32 i = 0; i < 80 && !HasFailure(); ++i) {
            step_both(ctx, "/mnt", expected, i);
            if (random_chance(10)) static_cast<void>(sys_sync());
            sleep_for(duration{static_cast<i64>(random_below(10'000'000))});
          }
          hand.stop();
          pulling.join();
          EXPECT_OK(umount_path(ctx, "/mnt", false));
          unfurnish(ctx);
        },
        seed);
    judge(stick.durable());
    expect_same(minix_image(stick.durable()), expected);
  });
}

TEST_F(Mount, StaysWholeWhenManyWriteAndItIsPulled) {
  for_each_seed(40, [&](u64 seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    stick_is_new();
    in_machine(
        [&](fs_context& ctx) {
          EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
          puller hand(stick);
          const fiber pulling = spawn("hand", [&] { hand.play(); });
          in_parallel(3, [&](u32) {
            fs_context mine = ctx.copy();
            for (u32 i = 0; i < 50; ++i) {
              step_alone(mine, "/mnt");
              if (random_chance(8)) static_cast<void>(sys_sync());
            }
          });
          hand.stop();
          pulling.join();
          EXPECT_OK(umount_path(ctx, "/mnt", false));
          unfurnish(ctx);
        },
        seed);
    judge(stick.durable());
  });
}

TEST_F(Mount, WriteErrorsAreReported) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    opened f(ctx, "/mnt/f", abi::o_creat | abi::o_rdwr);
    EXPECT_EQ(f.write(pattern(3000)), 3000u);
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd == block_command::write && broken) return error::eio;
      return {};
    };
    EXPECT_ERROR(error::eio, sync_file(*f));
    broken = false;
    EXPECT_OK(sync_file(*f));
    broken = true;
    EXPECT_EQ(f.write("x"), 1u);
    static_cast<void>(sys_sync());
    broken = false;
    EXPECT_OK(f.close());
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  judge(stick.durable());
}

TEST_F(Mount, RawBlocksAndFilesAreOneCache) {
  in_machine([&](fs_context& ctx) {
    {
      opened raw(ctx, "/sdb", abi::o_rdwr);
      EXPECT_EQ(seek_file(*raw, 0, abi::seek_end), 1024u * 1024);
      EXPECT_EQ(raw.read(1), "");
      EXPECT_ERROR(error::enospc, raw.write("x"));
      EXPECT_OK(seek_file(*raw, 900 * 1024 + 10, abi::seek_set));
      EXPECT_EQ(raw.write(pattern(40'000)), 40'000u);
      EXPECT_OK(seek_file(*raw, 900 * 1024 + 10, abi::seek_set));
      EXPECT_EQ(raw.read(40'000), pattern(40'000));
      EXPECT_OK(raw.close());
    }
    const auto bytes = stick.durable();
    EXPECT_EQ(0, std::memcmp(bytes.data() + 900 * 1024 + 10, pattern(40'000).data(), 40'000));
  });
}

}  // namespace
