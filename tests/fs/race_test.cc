// System calls that run at the same time: with a cold cache, so that they sleep wherever they can,
// and with many seeds. The medium and the model are compared afterwards.
#include <gtest/gtest.h>

#include <optional>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/dir.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

constexpr u32 image_blocks = 200;

// A fresh stick with what `prepare` leaves on it, mounted anew for `body`; sound afterwards.
void with_cold_stick(u64 seed, const std::function<void(session&)>& prepare,
                     const std::function<void(session&)>& body) {
  medium stick(mkfs_minix(image_blocks));
  stick.max_sectors = SECTORS_PER_BLOCK;  // each block ends by itself
  run(seed, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    prepare(process);
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    body(process);
    EXPECT_TRUE(process.umount());
    check_buffer_invariants();
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

// unlink finds a name, and while it waits for the file, two files exchange their names: another one
// has the name now. Inodes are locked in the order of their numbers, so the file must be older than
// its directory.
TEST(races, unlink_takes_the_file_that_has_the_name_now) {
  with_cold_stick(
      1,
      [](session& process) {
        for (const char* name : {"1", "2"})
          ASSERT_TRUE(process.write(std::string("/mnt/") + name, pattern(99, name[0] == '1')));
        ASSERT_TRUE(process.mkdir("/mnt/d"));
        for (const char* name : {"1", "2"})
          ASSERT_TRUE(process.rename(std::string("/mnt/") + name, std::string("/mnt/d/") + name));
      },
      [](session& process) {
        const result<inode_ref> dir = namei(process.context(), "/mnt/d");
        const result<inode_ref> file = namei(process.context(), "/mnt/d/1");
        ASSERT_TRUE(dir && file);
        std::optional<fiber> unlinker;
        {
          auto op = begin_operation(**dir);
          ASSERT_TRUE(op);
          inode_change writing(*op), change(*op);
          ASSERT_TRUE(writing.begin({file->get()}));
          unlinker = spawn("unlinker", [&] {
            session mine = process.fork();
            EXPECT_TRUE(mine.unlink("/mnt/d/1"));
          });
          sleep_for(1_s);
          ASSERT_TRUE(change.begin({dir->get()}));
          const auto one = find_entry(**dir, "1"), two = find_entry(**dir, "2");
          ASSERT_TRUE(one && two);
          EXPECT_TRUE(set_entry(*op, **dir, *one, two->inode));
          EXPECT_TRUE(set_entry(*op, **dir, *two, one->inode));
        }
        unlinker->join();
        EXPECT_FALSE(process.read("/mnt/d/1"));
        EXPECT_EQ(process.read("/mnt/d/2"), pattern(99, 1));
      });
}

// A file is cut while its last block is on its way to the stick, and another file grows at the same
// time. It may get the same block only when the write for the first file can no longer touch it.
TEST(races, a_freed_block_is_forgotten_before_it_is_free) {
  for_each_seed(10, [](u64 seed) {
    medium stick(mkfs_minix(image_blocks));
    run(seed, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/old", pattern(900, 1)));
      ASSERT_TRUE(process.write("/mnt/young", ""));
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.write_at("/mnt/old", 0, pattern(900, 2)));
      stick.max_sectors = SECTORS_PER_BLOCK;
      stick.least_latency = stick.most_latency = 100_ms;
      const std::string young = pattern(900, 3);
      in_parallel(3, [&](u32 number) {
        session mine = process.fork();
        sleep_for(duration{number * (10_ms).ns});
        if (number == 0) {
          EXPECT_TRUE(sys_sync());
        }
        if (number == 1) {
          EXPECT_TRUE(mine.truncate("/mnt/old", 0));
        }
        if (number == 2) {
          EXPECT_TRUE(mine.write_at("/mnt/young", 0, young));
        }
      });
      EXPECT_TRUE(process.umount());
      EXPECT_TRUE(process.mount());
      EXPECT_EQ(process.read("/mnt/young"), young);
      EXPECT_EQ(process.read("/mnt/old"), "");
    });
  });
}

// A block is freed while it is on its way to the stick, and another file gets it at once.
TEST(races, a_freed_block_takes_nothing_from_its_next_owner) {
  for_each_seed(60, [](u64 seed) {
    with_cold_stick(
        seed, [](session&) {},
        [](session& process) {
          const std::string old = pattern(7'000, 1), young = pattern(7'000, 2);
          ASSERT_TRUE(process.write("/mnt/old", old));
          in_parallel(3, [&](u32 number) {
            session mine = process.fork();
            if (number == 0) {
              EXPECT_TRUE(sys_sync());
            }
            sleep_for(duration{static_cast<i64>(random_below(2'000'000))});
            if (number == 1) {
              EXPECT_TRUE(mine.unlink("/mnt/old"));
            }
            if (number == 2) {
              EXPECT_TRUE(mine.write("/mnt/young", young));
            }
          });
          EXPECT_EQ(process.read("/mnt/young"), young);
        });
  });
}

// Its number is the only free one. Three tasks go on when a flush ends, in any order: the deletion,
// sync, and one that creates a file.
TEST(races, sync_does_not_write_over_the_next_file_of_a_deleted_inode) {
  for_each_seed(60, [](u64 seed) {
    medium stick(mkfs_minix(400, 32));
    run(seed, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/other", "x"));
      ASSERT_TRUE(process.write("/mnt/deleted", pattern(3'000)));
      for (u32 i = 0; process.write("/mnt/" + std::to_string(i), ""); ++i) {
      }
      std::optional<opened> last(std::in_place, process.context(), "/mnt/deleted", abi::o_rdonly);
      ASSERT_TRUE(process.unlink("/mnt/deleted"));
      ASSERT_TRUE(sys_sync());
      for (u32 i = 0; i < checkpoint::NR_VERSIONS; ++i) {
        ASSERT_TRUE(process.append("/mnt/other", pattern(1024)));
        ASSERT_TRUE(write_buffers(sda));
      }
      stick.least_latency = stick.most_latency = 50_ms;
      const fiber deleter = spawn("deleter", [&] { EXPECT_TRUE(last->close()); });
      const fiber syncer = spawn("sync", [&] { EXPECT_TRUE(sync_inodes(sda)); });
      const fiber creator = spawn("creator", [&] {
        session mine = process.fork();
        while (!mine.write("/mnt/new", "")) sleep_for(1_ms);
      });
      deleter.join();
      syncer.join();
      creator.join();
      EXPECT_TRUE(process.umount());
    });
    EXPECT_EQ(fsck_minix(stick.durable()), "") << "seed " << seed;
  });
}

// sync finds an inode dirty that a task is deleting. The number of that inode soon belongs to
// another file: its content must not be overwritten.
TEST(races, sync_does_not_write_an_inode_that_is_being_deleted) {
  constexpr u32 writers = 3, files = 12;
  const auto name_of_file = [](u32 n, u32 i) {
    return std::to_string(n) + "_" + std::to_string(i);
  };
  for_each_seed(60, [&](u64 seed) {
    medium stick(mkfs_minix(2048, 64));
    run(seed, [&] {
      session process(boot_with_root({.buffers = 64, .slots = 512}));
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      bool over = false;
      std::vector<fiber> syncers;
      for (int i = 0; i < 3; ++i)
        syncers.push_back(spawn("sync", [&] {
          while (!over) {
            EXPECT_TRUE(sys_sync());
            sleep_for(duration{static_cast<i64>(random_below(2'000'000))});
          }
        }));
      in_parallel(writers, [&](u32 n) {
        session mine = process.fork();
        for (u32 i = 0; i < files; ++i) {
          const std::string big = "/mnt/" + std::to_string(n) + "_big";
          ASSERT_TRUE(mine.write(big, pattern(30'000, n)));
          ASSERT_TRUE(mine.unlink(big));
          ASSERT_TRUE(mine.write("/mnt/" + name_of_file(n, i), pattern(100, i)));
        }
      });
      over = true;
      for (auto& s : syncers) s.join();
      EXPECT_TRUE(process.umount());
    });
    const minix_image image(stick.durable());
    EXPECT_EQ(image.problem_text(), "") << "seed " << seed;
    for (u32 n = 0; n < writers; ++n)
      for (u32 i = 0; i < files; ++i) {
        const auto file = image.files().find("/" + name_of_file(n, i));
        EXPECT_TRUE(file != image.files().end() && file->second.content == pattern(100, i))
            << "seed " << seed << ", file " << name_of_file(n, i);
      }
  });
}

// What is changed without the locks of an inode_change is stopped, and not seen years later.
TEST(inode_change, must_be_begun) {
  medium stick(64);
  world w({.expect_panic = true});
  w.run([&] {
    boot();
    plug_as(stick, sda);
    result<operation> op = operation::begin(sda);
    ASSERT_TRUE(op);
    const inode_change change(*op);
  });
  EXPECT_NE(w.panic_message().find("begun_"), std::string::npos);
}

}  // namespace
