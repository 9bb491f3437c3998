// The digest of a mounted file system's metadata: what another system has changed on a stick is
// found, also where nothing is held or cached of it.
#include <gtest/gtest.h>

#include <cstring>

#include "fs/buffer/buffer.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/operation.h"
#include "fs/read_super.h"
#include "fs/replug/info_files.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"
#include "tests/fs/replug/image_with_files.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Bitmaps in blocks 2 and 3, ten blocks of inodes behind them: each has one that is in use.
constexpr u32 first_metadata = 2, first_inodes = 4, first_data = 14;
constexpr u32 inodes = 320;

void with_many_inodes(const boot_options& options, const std::function<void(medium&)>& before,
                      const std::function<void(medium&, session&)>& body) {
  medium stick(image_with_files(400, inodes));
  run(1, [&] {
    session process(boot_with_root(options));
    before(stick);
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(sys_sync());
    stick.fault = {};
    body(stick, process);
  });
}

void with_many_inodes(const std::function<void(medium&, session&)>& body) {
  with_many_inodes(
      {}, [](medium&) {}, body);
}

// Whether the stick is taken back with another byte in this sector.
bool is_taken_back_with_a_change(medium& stick, u32 sector) {
  byte& changed = stick.bytes()[sector * SECTOR_SIZE + 100];
  changed ^= byte{1};
  const bool taken = is_taken_back(stick);
  changed ^= byte{1};
  return taken;
}

TEST(digest, finds_a_change_of_any_sector_of_the_metadata) {
  with_many_inodes([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    for (u32 sector = 2 * first_metadata; sector < 2 * first_data; ++sector)
      EXPECT_FALSE(is_taken_back_with_a_change(stick, sector)) << sector;
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "x");
  });
}

TEST(digest, knows_what_has_become_durable_since_the_mount) {
  with_many_inodes([](medium& stick, session& process) {
    for (u32 n = 0; n < 100; ++n) ASSERT_TRUE(process.write("/mnt/f" + std::to_string(n), "x"));
    // Inode 84 is changed: it is not in memory, and the next file takes inode 2.
    for (const char* path : {"/mnt/f0", "/mnt/f79"}) ASSERT_TRUE(process.unlink(path));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    drop_clean_buffers(sda);  // else they are compared
    pull_from(stick, sda);
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * (first_inodes + 2) + 1));
    EXPECT_TRUE(is_taken_back(stick));
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "x");
  });
}

// What was written and is not durable may be on the medium or not: the set says so.
TEST(digest, says_nothing_of_what_is_held) {
  for (const cache_loss loss : {cache_loss::none, cache_loss::all})
    with_many_inodes([=](medium& stick, session& process) {
      stick.fault = [](block_command cmd, lba, u32) {
        return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
      };
      ASSERT_TRUE(process.write("/mnt/file", "x"));
      EXPECT_FALSE(sys_sync());
      stick.pull({.loss = loss});
      sleep_for(1_s);
      stick.fault = {};
      plug_as(stick, sda);
      expect_on_medium(stick, process, "/file", "x");
    });
}

// Its write has ended, and no flush has followed.
TEST(digest, says_nothing_of_what_is_written_and_not_durable) {
  for (const cache_loss loss : {cache_loss::none, cache_loss::all})
    with_many_inodes([=](medium& stick, session& process) {
      ASSERT_TRUE(process.write("/mnt/file", "x"));
      ASSERT_TRUE(write_buffers(sda));
      stick.pull({.loss = loss});
      sleep_for(1_s);
      plug_as(stick, sda);
      expect_on_medium(stick, process, "/file", "x");
    });
}

// After `ckpt force` the stick has what another system has written there.
TEST(digest, is_read_again_when_a_stick_is_forced) {
  with_many_inodes([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[(first_data - 1) * BLOCK_SIZE] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_TRUE(checkpoint::execute_command("force sda"));
    write_and_pull(stick, process, "/mnt/second", "y");
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * first_data - 2));
    EXPECT_TRUE(is_taken_back(stick));
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// A block that cannot be read is no reason to refuse the mount, or later the stick.
TEST(digest, does_without_a_block_that_cannot_be_read) {
  constexpr u32 bad = first_data - 2;
  const auto spoil = [](medium& stick) {
    stick.fault = [](block_command cmd, lba at, u32 sectors) {
      const bool hit = 2 * bad - at.value() < sectors;
      return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
    };
  };
  for (const bool at_mount : {true, false})
    with_many_inodes(
        {},
        [&](medium& stick) {
          if (at_mount) spoil(stick);
        },
        [&](medium& stick, session& process) {
          write_and_pull(stick, process, "/mnt/file", "x");
          if (!at_mount) spoil(stick);
          EXPECT_TRUE(is_taken_back(stick));
          stick.fault = {};
          EXPECT_EQ(is_taken_back_with_a_change(stick, 2 * bad), at_mount);
          plug_as(stick, sda);
          expect_on_medium(stick, process, "/file", "x");
        });
}

// Each bad block takes its time: a stick that has many of them is mounted all the same.
TEST(digest, is_read_past_three_bad_blocks_and_no_more) {
  for (const u32 bad : {3u, 4u, 5u}) {
    u32 failed = 0;
    const auto spoil = [&](medium& stick) {
      stick.fault = [&](block_command cmd, lba at, u32 sectors) {
        const lba end = at + sectors;
        const bool hit =
            at.value() < 2 * (first_data - 5 + bad) && end.value() > 2 * (first_data - 5);
        failed += cmd == block_command::read && hit && sectors == SECTORS_PER_BLOCK;
        return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
      };
    };
    with_many_inodes({}, spoil, [&](medium&, session&) {
      const auto& digest = *checkpoint::volume_of(sda)->digests.front();
      EXPECT_TRUE(digest.is_known(digest.blocks() - 6));
      EXPECT_EQ(digest.is_known(digest.blocks() - 1), bad == 3) << bad;
    });
  }
}

// The blocks of the whole disk begin in the middle of those of a partition.
TEST(digest, knows_what_is_written_through_the_whole_disk) {
  constexpr u32 start = 63;
  const std::vector<byte> system = image_with_files(400, inodes);
  std::vector<byte> disk(start * SECTOR_SIZE + system.size() + SECTOR_SIZE);
  std::ranges::copy(system, disk.begin() + start * SECTOR_SIZE);
  disk[446 + 4] = byte{0x81};
  disk[446 + 8] = byte{start};
  disk[446 + 12] = byte{800 % 256};
  disk[446 + 13] = byte{800 / 256};
  disk[510] = byte{0x55};
  disk[511] = byte{0xaa};
  medium stick(disk);
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    {
      constexpr u32 first_sector = start + 2 * (first_data - 1) + 1;
      static_assert(first_sector % 2 == 0);
      ASSERT_TRUE(change_bytes(sda, first_sector / 2, 0, 10, 0x77));
      ASSERT_TRUE(sys_sync());
    }
    write_and_pull(stick, process, "/mnt/file", "x");
    EXPECT_TRUE(is_taken_back(stick));
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// What is written and flushed while the digest is read is known or left out, whatever comes first.
TEST(digest, is_not_older_than_a_write_during_the_mount) {
  for (u64 seed = 1; seed <= 40; ++seed) {
    medium stick(image_with_files(400, inodes));
    run(seed, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      const fiber writing = spawn("raw", [] {
        for (u8 value = 1; value <= 4; ++value) {
          EXPECT_TRUE(change_bytes(sda, first_data - 1, 0, 10, value));
          EXPECT_TRUE(flush_buffers(sda));
        }
      });
      ASSERT_TRUE(process.mount());
      writing.join();
      ASSERT_TRUE(sys_sync());
      write_and_pull(stick, process, "/mnt/file", "x");
      EXPECT_TRUE(is_taken_back(stick)) << seed;
      plug_as(stick, sda);
      EXPECT_TRUE(process.umount());
    });
  }
}

TEST(digest, of_a_file_system_ends_with_its_mount) {
  with_many_inodes([](medium& stick, session& process) {
    EXPECT_EQ(checkpoint::volume_of(sda)->digests.front()->blocks(), first_data - first_metadata);
    ASSERT_TRUE(process.umount());
    EXPECT_TRUE(checkpoint::volume_of(sda)->digests.empty());
    ASSERT_TRUE(process.mount());
    pull_from(stick, sda);
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * first_data - 1));
    EXPECT_TRUE(is_taken_back(stick));
    static_cast<void>(process.umount());
  });
}

using image_bytes = std::vector<byte>;

void put_entry(image_bytes& disk, u32 number, u32 first, u32 sectors) {
  byte* const entry = disk.data() + 446 + 16 * number;
  entry[4] = byte{0x81};
  for (u32 i = 0; i < 4; ++i) entry[8 + i] = static_cast<byte>(first >> 8 * i);
  for (u32 i = 0; i < 4; ++i) entry[12 + i] = static_cast<byte>(sectors >> 8 * i);
}

constexpr u32 start_1 = 64, start_2 = 864;
constexpr dev_id sda1(8, 1), sda2(8, 2);

image_bytes two_partitions() {
  const image_bytes system = image_with_files(400, inodes);
  image_bytes disk((start_2 + 802) * SECTOR_SIZE);
  std::ranges::copy(system, disk.begin() + start_1 * SECTOR_SIZE);
  std::ranges::copy(system, disk.begin() + start_2 * SECTOR_SIZE);
  put_entry(disk, 0, start_1, 800);
  put_entry(disk, 1, start_2, 800);
  disk[510] = byte{0x55};
  disk[511] = byte{0xaa};
  return disk;
}

// An operation that had begun changes metadata after the pull; the replay is cut by a pull.
TEST(digest, a_change_after_the_pull_and_a_replay_that_is_cut) {
  for (u32 step = 1; step <= 8; ++step)
    with_many_inodes([=](medium& stick, session& process) {
      {
        auto buffer = bread(sda, block_nr{first_inodes});
        ASSERT_TRUE(buffer);
        auto op = operation::begin(sda);
        ASSERT_TRUE(op);
        pull_from(stick, sda);
        sleep_for(100_ms);
        const auto change = [](std::span<byte> bytes) { bytes[0] ^= byte{1}; };
        ASSERT_TRUE(buffer->modify(*op, 900, 1, change));
      }
      stick.pull_at(stick.steps() + step,
                    {.loss = cache_loss::none, .sector = in_flight::new_content});
      stick.plug();
      sleep_for(2_s);
      if (stick.plugged()) stick.pull();
      sleep_for(1_s);
      EXPECT_TRUE(is_taken_back(stick)) << "step " << step;
      static_cast<void>(process.umount("/mnt", true));
    });
}

// The stick is forced, pulled before the force has ended, and changed once more: that is a new
// conflict, and the user's choice again.
TEST(digest, a_force_that_met_a_pull_is_not_made_again) {
  with_many_inodes([](medium& stick, session& process) {
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[first_metadata * BLOCK_SIZE + 900] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    stick.least_latency = stick.most_latency = 200_ms;
    const fiber force = spawn("force", [&] {
      const opened ckpt(process.context(), "/dev/ckpt", abi::o_wronly);
      EXPECT_ERROR(error::eio, ckpt.write("force sda\n"));  // after io_wait
    });
    await_state(sda, volume_state::live);
    sleep_for(350_ms);  // some of the digest is known again
    ASSERT_TRUE(fill_block(sda, 390, 0x55));
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(1_s);
    stick.bytes()[first_metadata * BLOCK_SIZE + 901] ^= byte{1};
    stick.plug();
    sleep_for(20_s);
    EXPECT_EQ(state_of(sda), volume_state::conflict);
    force.join();
    EXPECT_TRUE(checkpoint::execute_command("keep sda"));
    static_cast<void>(process.umount("/mnt", true));
  });
}

// The stick is forced, and pulled while the digest of the first of two file systems is read.
TEST(digest, a_pull_while_the_first_of_two_digests_is_read_again) {
  medium stick(two_partitions());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    const auto second = read_super(sda2, false);
    ASSERT_TRUE(second);
    (*second)->s_ready = true;
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[start_2 * SECTOR_SIZE + (first_data - 1) * BLOCK_SIZE + 100] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    stick.least_latency = stick.most_latency = 200_ms;
    const fiber force =
        spawn("force", [] { static_cast<void>(checkpoint::execute_command("force sda")); });
    await_state(sda, volume_state::live);
    sleep_for(50_ms);
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(1_s);
    EXPECT_TRUE(is_taken_back(stick));
    stick.plug();
    sleep_for(2_s);
    if (state_of(sda) == volume_state::conflict)
      static_cast<void>(checkpoint::execute_command("force sda"));
    force.join();
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(process.umount());
    put_super(**second);
  });
}

// The stick is pulled while it is mounted, and comes back unchanged: the mount begins again.
TEST(digest, a_digest_that_was_cut_by_a_pull_is_completed) {
  medium stick(image_with_files(4000, 3200));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    pin(sda);  // its name is kept
    stick.least_latency = stick.most_latency = 100_ms;
    const fiber mounting = spawn("mount", [&] { EXPECT_TRUE(process.mount()); });
    const auto& digests = checkpoint::volume_of(sda)->digests;
    while (digests.empty() || !digests.front()->is_known(50)) sleep_for(1_ms);
    ASSERT_FALSE(digests.front()->is_known(80));
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(1_s);
    plug_as(stick, sda);
    mounting.join();
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * (first_metadata + 80)));
    stick.plug();
    sleep_for(2_s);
    static_cast<void>(process.umount());
    unpin(sda);
  });
}

// The order in which one flush releases two slots of the same sectors is not that of the writes.
void expect_taken_back_after_writes_through_two_names(u32 block) {
  medium stick(two_partitions());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(change_bytes(sda1, block, 100, 10, 1));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(change_bytes(sda, start_1 / 2 + block, 100, 10, 2));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(change_bytes(sda1, block, 100, 10, 3));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(sys_sync());
    EXPECT_EQ(stick.durable()[start_1 * SECTOR_SIZE + block * BLOCK_SIZE + 100], byte{3});
    write_and_pull(stick, process, "/mnt/file", "x");
    EXPECT_TRUE(is_taken_back(stick)) << block;
    static_cast<void>(process.umount("/mnt", true));
  });
}

TEST(digest, two_slots_of_the_same_sectors) {
  expect_taken_back_after_writes_through_two_names(first_data - 1);
}

TEST(digest, two_slots_at_a_place_of_the_fingerprint) {
  const u32 sectors = static_cast<u32>(two_partitions().size() / SECTOR_SIZE);
  const lba place = checkpoint::fingerprint(sectors).place(2);
  expect_taken_back_after_writes_through_two_names((place - lba(start_1)) / SECTORS_PER_BLOCK);
}

// What was written through the other name before the mount may be lost with the stick's cache.
void expect_nothing_known_of_the_last_block(const image_bytes& image, u32 block_of_disk,
                                            const std::string& mounted) {
  medium stick(image);
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(change_bytes(sda, block_of_disk, 100, 10, 2));
    ASSERT_TRUE(write_buffers(sda));  // and it is not durable
    stick.least_latency = stick.most_latency = 100_ms;
    const fiber mounting = spawn("mount", [&] { EXPECT_TRUE(process.mount(mounted, "/mnt")); });
    const auto& digests = checkpoint::volume_of(sda)->digests;
    constexpr u32 one_before = first_data - first_metadata - 2;
    while (digests.empty() || !digests.front()->is_known(one_before)) sleep_for(1_ms);
    sleep_for(50_ms);  // the superblock is being written
    pull_from(stick, sda, {.loss = cache_loss::all});
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(1_s);
    plug_as(stick, sda);
    mounting.join();
    EXPECT_TRUE(process.umount());
  });
}

TEST(digest, knows_nothing_of_what_another_name_holds_at_the_mount) {
  expect_nothing_known_of_the_last_block(two_partitions(), start_1 / 2 + first_data - 1,
                                         "/dev/sda1");
}

TEST(digest, knows_nothing_of_what_is_held_at_the_mount) {
  expect_nothing_known_of_the_last_block(image_with_files(400, inodes), first_data - 1, "/dev/sda");
}

// One read error while the stick is compared hides a change.
TEST(digest, a_read_that_fails_once_hides_no_change) {
  with_many_inodes([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    constexpr u32 changed = 2 * first_data - 1;
    u32 fails = 1;
    stick.fault = [&](block_command cmd, lba at, u32 sectors) {
      const bool hit = changed - at.value() < sectors;
      return cmd == block_command::read && hit && fails && fails-- ? std::optional(error::eio)
                                                                   : std::nullopt;
    };
    EXPECT_FALSE(is_taken_back_with_a_change(stick, changed));
    stick.fault = {};
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// A mount caches the first blocks of inodes; these have no inode in use, and no digest answers.
constexpr u32 unused_inodes = first_inodes + 2;
void with_unused_inodes(const std::function<void(medium&)>& body) {
  medium stick(mkfs_minix(400, inodes));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(bread(sda, block_nr(unused_inodes)));
    write_and_pull(stick, process, "/mnt/file", "x");
    body(stick);
    stick.fault = {};
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "x");
  });
}

TEST(digest, a_new_bad_block_of_free_inodes_keeps_no_stick_out) {
  with_unused_inodes([](medium& stick) {
    stick.fault = [](block_command cmd, lba at, u32 sectors) {
      const bool hit = 2 * unused_inodes - at.value() < sectors;
      return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_TRUE(is_taken_back(stick));
  });
}

TEST(digest, a_read_that_fails_once_hides_no_change_of_a_cached_block) {
  with_unused_inodes([](medium& stick) {
    u32 fails = 1;
    stick.fault = [&](block_command cmd, lba at, u32 sectors) {
      const bool hit = 2 * unused_inodes - at.value() < sectors;
      return cmd == block_command::read && hit && fails && fails-- ? std::optional(error::eio)
                                                                   : std::nullopt;
    };
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * unused_inodes));
    EXPECT_EQ(fails, 0u);
  });
}

// By programs: one appends to files, another one syncs; a pull, and a replay that is cut.
TEST(digest, programs_a_pull_and_a_replay_that_is_cut) {
  u32 refused = 0;
  for (u64 seed = 1; seed <= 30; ++seed) {
    medium stick(image_with_files(800, inodes));
    run(seed, [&] {
      session process(boot_with_root({.buffers = 256}));
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      for (u32 n = 0; n < 90; ++n) ASSERT_TRUE(process.write("/mnt/g" + std::to_string(n), "y"));
      ASSERT_TRUE(sys_sync());
      bool stop = false;
      const fiber writer = spawn("writer", [&] {
        session mine = process.fork();
        while (!stop)
          static_cast<void>(mine.append("/mnt/g" + std::to_string(40 + random_below(50)),
                                        std::string(1024, 'x')));
      });
      const fiber remover = spawn("rm", [&] {
        session mine = process.fork();
        for (u32 n = 0; n < 40 && !stop; ++n) {
          static_cast<void>(mine.unlink("/mnt/g" + std::to_string(n)));
          sleep_for(20_ms);
        }
      });
      const fiber syncer = spawn("sync", [&] {
        while (!stop) {
          static_cast<void>(sys_sync());
          sleep_for(1_ms);
        }
      });
      sleep_for(duration{static_cast<i64>(random_below(200'000'000))});
      pull_from(stick, sda, {.loss = cache_loss::none});
      stop = true;
      sleep_for(1_s);
      stick.pull_at(stick.steps() + 1 + random_below(60), {.loss = cache_loss::none});
      stick.plug();
      sleep_for(2_s);
      if (stick.plugged()) stick.pull();
      sleep_for(1_s);
      stick.plug();
      sleep_for(2_s);
      if (state_of(sda) == volume_state::conflict) {
        ++refused;
        std::fprintf(stderr, "refused: seed %u\n", static_cast<u32>(seed));
        static_cast<void>(checkpoint::execute_command("force sda"));
      }
      writer.join();
      syncer.join();
      remover.join();
      static_cast<void>(process.umount());
    });
  }
  EXPECT_EQ(refused, 0u);
}

// Reading ahead takes a share of the cache: a mount that waits for a slow stick leaves buffers for
// the other disks (rule 10).
TEST(digest, leaves_buffers_for_others_while_it_is_read) {
  medium stick(image_with_files(4000, 3200)), other(mkfs_minix(400), "OTHER");
  run(1, [&] {
    session process(boot_with_root({.buffers = 64}));
    plug_as(stick, sda);
    plug_as(other, sdb);
    std::vector<buffer_ref> in_use;
    for (u32 n = 0; n < 10; ++n) in_use.push_back(std::move(*bread(sdb, block_nr{301 + n})));
    ASSERT_TRUE(sys_sync());
    stick.fault = [&](block_command, lba at, u32) {  // slow from the superblock on
      if (at == lba(2)) stick.least_latency = stick.most_latency = 60_s;
      return std::optional<error>{};
    };
    const fiber mounting = spawn("mount", [&] { EXPECT_TRUE(process.mount()); });
    const auto& digests = checkpoint::volume_of(sda)->digests;
    constexpr u32 last_bitmap = 1;
    while (digests.empty() || !digests.front()->is_known(last_bitmap)) sleep_for(1_s);
    const instant begun = now();
    EXPECT_TRUE(byte_of(sdb, 300));
    EXPECT_LT(now(), begun + 1_s);
    stick.fault = {};
    stick.least_latency = stick.most_latency = 1_ms;
    mounting.join();
    EXPECT_TRUE(process.umount());
  });
}

// One block cannot be read at the first look, and the changed one cannot at the second.
TEST(digest, a_change_that_was_seen_is_not_forgotten_by_the_second_look) {
  const auto before = [](medium& stick) { stick.max_sectors = SECTORS_PER_BLOCK; };
  with_many_inodes({}, before, [](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    constexpr u32 unread = 2 * first_data - 4, changed = 2 * first_data - 2;
    u32 looks_at_unread = 0, looks_at_changed = 0;
    stick.fault = [&](block_command cmd, lba at, u32) {
      const bool fails =
          cmd == block_command::read && ((at.value() == unread && ++looks_at_unread == 1) ||
                                         (at.value() == changed && ++looks_at_changed > 1));
      return fails ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_FALSE(is_taken_back_with_a_change(stick, changed));
    EXPECT_GT(looks_at_unread, 0u);
    stick.fault = {};
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// A partition was read, then written through the whole disk: what is cached of it is not what the
// medium has.
TEST(digest, knows_the_medium_and_not_an_older_cache) {
  medium stick(two_partitions());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    constexpr u32 block = first_data - 1;
    EXPECT_TRUE(byte_of(sda1, block));
    ASSERT_TRUE(change_bytes(sda, start_1 / 2 + block, 100, 10, 2));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    EXPECT_TRUE(is_taken_back(stick));
    static_cast<void>(process.umount("/mnt", true));
  });
}

u32 state_on(const medium& stick, u32 start) {
  return std::to_integer<u32>(stick.durable()[start * SECTOR_SIZE + BLOCK_SIZE + 18]);
}

// The command is interrupted while the first of two file systems is read again: the second one was
// changed elsewhere too, and is not refused a second time.
TEST(digest, a_force_that_is_cut_holds_for_all_file_systems) {
  medium stick(two_partitions());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    const auto second = read_super(sda2, false);
    ASSERT_TRUE(second);
    (*second)->s_ready = true;
    ASSERT_TRUE(sys_sync());
    write_and_pull(stick, process, "/mnt/file", "x");
    stick.bytes()[start_2 * SECTOR_SIZE + first_inodes * BLOCK_SIZE + 8] ^= byte{1};  // of the root
    stick.plug();
    await_state(sda, volume_state::conflict);
    stick.least_latency = stick.most_latency = 200_ms;
    const fiber force =
        spawn("force", [] { EXPECT_FALSE(checkpoint::execute_command("force sda")); });
    await_state(sda, volume_state::live);
    sleep_for(50_ms);
    pull_from(stick, sda);
    force.signal();
    force.join();
    stick.least_latency = stick.most_latency = 1_ms;
    sleep_for(1_s);
    EXPECT_TRUE(is_taken_back(stick));
    stick.plug();
    sleep_for(2_s);
    if (state_of(sda) == volume_state::conflict)
      static_cast<void>(checkpoint::execute_command("force sda"));
    EXPECT_TRUE(process.umount());
    EXPECT_TRUE(restore_state(**second));
    EXPECT_TRUE(sys_sync());
    put_super(**second);
    EXPECT_NE(state_on(stick, start_1) & MINIX_ERROR_FS, 0u);
    EXPECT_NE(state_on(stick, start_2) & MINIX_ERROR_FS, 0u);
  });
}

// The bitmaps and the inode table cannot be read for a moment after the plug; the root was changed.
TEST(digest, errors_that_last_for_both_looks_hide_no_change) {
  with_many_inodes([](medium& stick, session& process) {
    pull_from(stick, sda);
    const instant plugged = now();
    stick.fault = [=](block_command cmd, lba at, u32) {
      const bool is_metadata = at.value() >= 2 * first_metadata && at.value() < 2 * first_data;
      const bool fails = cmd == block_command::read && is_metadata && now() < plugged + 500_ms;
      return fails ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_FALSE(is_taken_back_with_a_change(stick, 2 * first_inodes));
    stick.fault = {};
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

}  // namespace
