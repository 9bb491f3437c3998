// The door (fs/checkpoint/absence.h): a call that meets an absent stick lets go of everything,
// waits, and begins again. So nothing waits behind it.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "fs/buffer/buffer.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/settings.h"
#include "fs/inode.h"
#include "fs/replug/info_files.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;

// Whether the block is none of the file's but its first.
bool stays_cached(dev_id dev, block_nr block) {
  static const std::string content = pattern(50'000, 1);
  const byte* const cached = peek_block(dev, block);
  for (size_t at = BLOCK_SIZE; cached && at + BLOCK_SIZE <= content.size(); at += BLOCK_SIZE)
    if (std::memcmp(cached, content.data() + at, BLOCK_SIZE) == 0) return false;
  return cached;
}

// /mnt/file has 49 blocks, of which only the first is cached; the stick is away.
void with_half_cached_file(const std::function<void(medium&, session&)>& body) {
  with_mounted_stick(1, {.buffers = 512}, [&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(50'000, 1)));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda, stays_cached);
    pull_from(stick, sda);
    body(stick, process);
  });
}

// Row 18, for the disk itself: cached blocks are read, and its size is known.
TEST(door, cached_blocks_of_a_raw_disk_are_read_while_it_is_away) {
  with_mounted_stick(1, {.buffers = 512}, [&](medium& stick, session& process) {
    opened raw(process.context(), "/dev/sda", abi::o_rdonly);
    const std::string before = raw.read(3 * BLOCK_SIZE).value();
    pull_from(stick, sda);
    const instant begun = now();
    EXPECT_EQ(seek_file(*raw, 0, abi::seek_end), mounted_blocks * BLOCK_SIZE);
    EXPECT_EQ(raw.read(10), "");
    EXPECT_OK(seek_file(*raw, 0, abi::seek_set));
    EXPECT_EQ(raw.read(3 * BLOCK_SIZE), before);
    EXPECT_EQ(now(), begun);
    EXPECT_OK(seek_file(*raw, 300 * BLOCK_SIZE, abi::seek_set));
    EXPECT_ERROR(error::eio, raw.read(1));
    EXPECT_GE(now() - begun, 30_s) << "that one is not cached, and waits";
    plug_as(stick, sda);
    EXPECT_EQ(raw.read(1)->size(), 1u);
  });
}

TEST(door, cached_reads_go_on_behind_one_that_waits) {
  with_half_cached_file([](medium& stick, session& process) {
    opened cached(process.context(), "/mnt/file", abi::o_rdonly);
    auto reader = spawn("reader", [&] {
      opened far(process.context(), "/mnt/file", abi::o_rdonly);
      ASSERT_TRUE(seek_file(*far, 45'000, abi::seek_set));
      EXPECT_EQ(far.read(512), pattern(50'000, 1).substr(45'000, 512));
    });
    sleep_for(10_ms);
    EXPECT_FALSE(reader.ended());
    const instant before = now();
    EXPECT_EQ(cached.read(512), pattern(50'000, 1).substr(0, 512));
    EXPECT_EQ(now(), before);
    plug_as(stick, sda);
    reader.join();
  });
}

TEST(door, bytes_that_were_moved_are_returned) {
  with_half_cached_file([](medium& stick, session& process) {
    opened file(process.context(), "/mnt/file", abi::o_rdonly);
    const instant before = now();
    EXPECT_EQ(file.read(5'000), pattern(50'000, 1).substr(0, 1024));
    EXPECT_EQ(now(), before);
    EXPECT_ERROR(error::eio, file.read(5'000)) << "after io_wait";
    EXPECT_EQ((now() - before).ns, (30_s).ns);
    plug_as(stick, sda);
    EXPECT_EQ(file.read(3'000), pattern(50'000, 1).substr(1024, 3'000));
  });
}

// A chain of waits behind a lock would add their limits.
TEST(door, each_of_many_waits_for_io_wait_and_no_longer) {
  with_half_cached_file([](medium& stick, session& process) {
    const instant before = now();
    std::vector<fiber> tasks;
    for (u32 n = 0; n < 4; ++n)
      tasks.push_back(spawn("task", [&, n] {
        session mine = process.fork();
        if (n % 2)
          EXPECT_ERROR(error::eio, mine.write_at("/mnt/file", 40'100 + n, "new"));
        else
          EXPECT_FALSE(mine.read("/mnt/file"));
        EXPECT_LE(now() - before, 31_s);
      }));
    for (fiber& each : tasks) each.join();
    plug_as(stick, sda);
    EXPECT_EQ(process.read("/mnt/file"), pattern(50'000, 1));
  });
}

// A call that works and then finds its stick absent, `times` times.
result<void> find_absent(u32 times, const std::function<void()>& work) {
  u32 tries = 0;
  return checkpoint::at_the_door([&]() -> result<void> {
    if (tries++ == times) return {};
    work();
    return fail(error::absent);
  });
}

TEST(door, the_waits_of_a_call_add_up) {
  with_mounted_stick(1, {}, [](medium& stick, session&) {
    const duration limit = checkpoint::current_settings().io_wait;
    bool done = false;
    fiber loose_contact = spawn("loose contact", [&] {
      while (!done) {
        sleep_for(limit - 1_s);
        pull_from(stick, sda);
        plug_as(stick, sda);
      }
    });
    const instant before = now();
    EXPECT_ERROR(error::eio, find_absent(1000, [] {}));
    EXPECT_LE(now() - before, limit + 1_s);
    done = true;
    loose_contact.join();
  });
}

TEST(door, the_work_of_a_call_is_no_wait) {
  with_mounted_stick(1, {}, [](medium& stick, session&) {
    EXPECT_OK(find_absent(3, [&] {
      sleep_for(checkpoint::current_settings().io_wait);
      pull_from(stick, sda);
      plug_as(stick, sda);
    }));
  });
}

TEST(door, a_call_begins_again_when_the_stick_is_back) {
  with_half_cached_file([](medium& stick, session& process) {
    std::vector<fiber> tasks;
    tasks.push_back(spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write_at("/mnt/file", 40'100, "new"));
      EXPECT_TRUE(mine.write("/mnt/other", "x"));
    }));
    tasks.push_back(spawn("maker", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.mkdir("/mnt/d"));
      EXPECT_TRUE(mine.rename("/mnt/d", "/mnt/e"));
    }));
    sleep_for(10_s);
    for (fiber& each : tasks) EXPECT_FALSE(each.ended());
    plug_as(stick, sda);
    for (fiber& each : tasks) each.join();
    EXPECT_EQ(process.read("/mnt/file")->substr(40'100, 3), "new");
    EXPECT_EQ(process.read("/mnt/other"), "x");
    EXPECT_TRUE(process.rmdir("/mnt/e"));
  });
}

// The blocks of the device are read slowly, and the stick is pulled while a call reads one.
void pull_during(const std::function<void(session&)>& call,
                 const std::function<void(medium&, session&, fiber&)>& body) {
  with_mounted_stick(1, {.buffers = 512}, [&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(3'000, 1)));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    ASSERT_TRUE(stat_path(process.context(), "/mnt/file"));
    forget_inode_table(sda);
    stick.least_latency = stick.most_latency = 50_ms;
    fiber caller = spawn("caller", [&] {
      session mine = process.fork();
      call(mine);
    });
    sleep_for(10_ms);
    EXPECT_FALSE(caller.ended());
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(10_s);
    body(stick, process, caller);
    if (!stick.plugged()) plug_as(stick, sda);
    caller.join();
  });
}

// What is acknowledged is in the region: the block of the inode table is read first.
TEST(door, an_inode_is_changed_when_its_block_is_there) {
  pull_during([](session& mine) { EXPECT_OK(chmod_path(mine.context(), "/mnt/file", 0600)); },
              [](medium& stick, session& process, fiber& caller) {
                EXPECT_FALSE(caller.ended());
                plug_as(stick, sda);
                caller.join();
                EXPECT_EQ(stat_path(process.context(), "/mnt/file")->mode & 0777u, 0600u);
              });
}

TEST(door, an_inode_is_not_changed_without_its_block) {
  pull_during(
      [](session& mine) {
        EXPECT_ERROR(error::eio, chmod_path(mine.context(), "/mnt/file", 0600));
      },
      [](medium&, session& process, fiber& caller) {
        sleep_for(checkpoint::current_settings().io_wait);
        EXPECT_TRUE(caller.ended());
        EXPECT_NE(stat_path(process.context(), "/mnt/file")->mode & 0777u, 0600u);
      });
}

// Blocks of the metadata have been written four times without a flush, so the next change of one
// needs a flush first; the stick is pulled during that flush.
void pull_during_its_flush(const std::function<void(session&)>& change,
                           const std::function<void(session&)>& call,
                           const std::function<void(session&)>& after) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/file", pattern(3'000, 1)));
    ASSERT_TRUE(process.write("/mnt/other", "x"));
    ASSERT_TRUE(sys_sync());
    for (u32 i = 0; i < checkpoint::NR_VERSIONS; ++i) {
      change(process);
      ASSERT_TRUE(write_buffers(sda));
    }
    stick.least_latency = stick.most_latency = 50_ms;
    fiber caller = spawn("caller", [&] {
      session mine = process.fork();
      call(mine);
    });
    sleep_for(10_ms);
    EXPECT_FALSE(caller.ended());
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(10_s);
    EXPECT_FALSE(caller.ended());
    const instant before = now();
    EXPECT_OK(sys_sync());  // leaves the inode alone that the call has changed
    EXPECT_LT(now() - before, 1_s);
    plug_as(stick, sda);
    caller.join();
    after(process);
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(fsck_minix(stick.durable()), "");
}

TEST(door, what_an_inode_was_changed_to_is_in_the_region_when_the_call_returns) {
  const auto mode_of = [](session& s) { return stat_path(s.context(), "/mnt/file")->mode & 0777u; };
  pull_during_its_flush([](session& s) { EXPECT_OK(chmod_path(s.context(), "/mnt/other", 0640)); },
                        [](session& s) { EXPECT_OK(chmod_path(s.context(), "/mnt/file", 0600)); },
                        [&](session& s) { EXPECT_EQ(mode_of(s), 0600u); });
}

TEST(door, a_file_that_is_being_cut_leaves_no_block_behind) {
  pull_during_its_flush([](session& s) { EXPECT_OK(s.append("/mnt/other", pattern(1024))); },
                        [](session& s) { EXPECT_OK(s.truncate("/mnt/file", 0)); },
                        [](session&) { EXPECT_FALSE(said("zone was free")); });
}

TEST(door, nor_does_one_that_is_deleted) {
  std::optional<opened> last;
  pull_during_its_flush(
      [&](session& s) {
        if (!last) {
          last.emplace(s.context(), "/mnt/file", abi::o_rdonly);
          EXPECT_OK(s.unlink("/mnt/file"));
        }
        EXPECT_OK(s.append("/mnt/other", pattern(1024)));
      },
      [&](session&) { EXPECT_OK(last->close()); },
      [](session&) { EXPECT_FALSE(said("zone was free")); });
}

// A file with sixty indirect blocks is cut, which reads them all, and the stick is pulled.
void with_long_cut(const std::function<void(medium&, session&)>& body) {
  with_mounted_stick(1, {.buffers = 256}, [&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/holes", "x"));
    for (u32 i = 0; i < 60; ++i)
      ASSERT_TRUE(process.write_at("/mnt/holes", (519 + i * 512) * 1024, "y"));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    stick.least_latency = stick.most_latency = 20_ms;
    fiber cutter = spawn("cutter", [&] {
      session mine = process.fork();
      static_cast<void>(mine.truncate("/mnt/holes", 0));
    });
    sleep_for(300_ms);  // in the middle of it
    EXPECT_FALSE(cutter.ended());
    body(stick, process);
    plug_as(stick, sda);
    cutter.join();
    EXPECT_TRUE(process.truncate("/mnt/holes", 0));
    EXPECT_EQ(process.read("/mnt/holes"), "");
  });
}

TEST(door, sync_does_not_wait_for_an_operation_that_met_the_pull) {
  with_long_cut([](medium& stick, session&) {
    fiber syncer = spawn("sync", [] { EXPECT_TRUE(sys_sync()); });
    sleep_for(1_ms);
    pull_from(stick, sda);
    sleep_for(20_s);
    EXPECT_TRUE(syncer.ended());
    syncer.join();
  });
}

// After `ckpt force` the inodes in memory are dirty, and no call has changed them. A sync that
// meets the pull while it reads their blocks leaves them so.
TEST(door, sync_does_not_wait_to_write_an_inode_that_was_distrusted) {
  with_mounted_stick(1, {}, [](medium& stick, session& process) {
    opened file(process.context(), "/mnt/file", abi::o_rdwr | abi::o_creat);
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/second", "x");
    stick.bytes()[2 * BLOCK_SIZE + 6] ^= byte{1};  // in the bitmap of inodes
    stick.plug();
    await_state(sda, checkpoint::volume_state::conflict);
    stick.least_latency = stick.most_latency = 200_ms;
    fiber force =
        spawn("force", [] { static_cast<void>(checkpoint::execute_command("force sda")); });
    await_state(sda, checkpoint::volume_state::live);
    drop_clean_buffers(sda);
    fiber syncer = spawn("sync", [] { static_cast<void>(sys_sync()); });
    sleep_for(50_ms);
    pull_from(stick, sda);
    sleep_for(10_s);
    EXPECT_TRUE(syncer.ended());
    stick.least_latency = stick.most_latency = 1_ms;
    plug_as(stick, sda);
    force.join();
    syncer.join();
    EXPECT_TRUE(sys_sync());
  });
}

TEST(door, a_read_behind_its_lock_does_not_wait_longer_than_io_wait) {
  with_long_cut([](medium& stick, session& process) {
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_ERROR(error::eio, process.read("/mnt/holes"));
    EXPECT_LE(now() - before, 31_s);
  });
}

}  // namespace
