// Errors that come in the middle of a call, or while it waits: what is documented for each of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/bmap.h"
#include "fs/buffer/invalidate.h"
#include "fs/inode.h"
#include "fs/minix_format.h"
#include "fs/namei.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr u32 inode_map = 2, zone_map = 3;

// Reads that touch these blocks fail.
void refuse_reads(medium& stick, u32 first, u32 count = 1) {
  stick.fault = [first, count](block_command cmd, lba at, u32 sectors) -> std::optional<error> {
    const u32 begin = at.value() / SECTORS_PER_BLOCK;
    const u32 end = (at.value() + sectors - 1) / SECTORS_PER_BLOCK + 1;
    if (cmd != block_command::read || end <= first || begin >= first + count) return {};
    return error::eio;
  };
}

// A stick with /f of `size` bytes, mounted, and nothing of it in the cache.
void with_cold_file(u32 size, const std::function<void(session&, medium&)>& body) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.write("/mnt/f", pattern(size)));
    EXPECT_OK(process.umount());
    EXPECT_OK(process.mount());
    drop_clean_buffers(sda);  // the mount has read the bitmaps and the inode table
    body(process, stick);
    stick.fault = nullptr;
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  EXPECT_EQ(minix_image(stick.durable()).state() & 3, 1);
}

TEST(late_errors, a_bitmap_that_cannot_be_read_lets_nothing_be_cut) {
  with_cold_file(30'000, [](session& process, medium& stick) {
    refuse_reads(stick, zone_map);
    for (u32 size : {0u, 1000u, 20'000u}) {
      EXPECT_ERROR(error::eio, process.truncate("/mnt/f", size));
      EXPECT_EQ(stat_path(process.context(), "/mnt/f")->size, 30'000u);
    }
    EXPECT_EQ(process.read("/mnt/f"), pattern(30'000));
    EXPECT_ERROR(error::eio, process.append("/mnt/f", pattern(3'000)));
    EXPECT_FALSE(said("damaged"));
    stick.fault = nullptr;
    EXPECT_OK(process.truncate("/mnt/f", 20'000));
    EXPECT_EQ(process.read("/mnt/f"), pattern(20'000));
  });
}

TEST(late_errors, a_file_that_cannot_be_freed_yet_is_freed_by_sync) {
  for (u32 map : {inode_map, zone_map})
    with_cold_file(30'000, [&](session& process, medium& stick) {
      refuse_reads(stick, map);
      EXPECT_OK(process.unlink("/mnt/f"));
      EXPECT_FALSE(said("damaged"));
      stick.fault = nullptr;
      EXPECT_OK(sys_sync());
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, 63u);
    });
}

TEST(late_errors, an_indirect_block_that_cannot_be_read_lets_nothing_be_cut) {
  with_cold_file(30'000, [](session& process, medium& stick) {
    const u32 indirect = namei(process.context(), "/mnt/f").value()->i_zone[DIRECT_ZONES];
    refuse_reads(stick, indirect);
    for (u32 size : {0u, 7'168u, 7'169u, 20'000u}) {
      EXPECT_ERROR(error::eio, process.truncate("/mnt/f", size)) << size;
      EXPECT_EQ(stat_path(process.context(), "/mnt/f")->size, 30'000u);
    }
    EXPECT_EQ(process.write_at("/mnt/f", 7'000, pattern(168)).has_value(), true);
    EXPECT_ERROR(error::eio, process.write_at("/mnt/f", 8'000, "x"));
    {
      const opened f(process.context(), "/mnt/f", abi::o_rdonly);
      EXPECT_EQ(f.read(10'000)->size(), 7'168u) << "what came before the error";
      EXPECT_ERROR(error::eio, f.read(10'000));
      EXPECT_EQ(seek_file(*f, 0, abi::seek_cur), 7'168u);
    }
    EXPECT_FALSE(said("damaged"));
    stick.fault = nullptr;
    EXPECT_EQ(process.read("/mnt/f").value().substr(7'168), pattern(30'000).substr(7'168));
  });
}

// The block of the new end is read, as its rest is zeroed; a cut between blocks reads no data.
TEST(late_errors, the_last_block_is_read_only_when_a_part_of_it_stays) {
  with_cold_file(6'000, [](session& process, medium& stick) {
    const u32 first = namei(process.context(), "/mnt/f").value()->i_zone[0];
    refuse_reads(stick, first, 6);
    EXPECT_ERROR(error::eio, process.truncate("/mnt/f", 2'000));
    EXPECT_ERROR(error::eio, process.truncate("/mnt/f", 7'000));
    EXPECT_ERROR(error::eio, process.write_at("/mnt/f", 6'500, "x"));
    EXPECT_EQ(stat_path(process.context(), "/mnt/f")->size, 6'000u);
    EXPECT_OK(process.truncate("/mnt/f", 2'048));
    EXPECT_OK(process.truncate("/mnt/f", 5'000));
    stick.fault = nullptr;
    std::string expected = pattern(2'048);
    expected.resize(5'000);
    EXPECT_EQ(process.read("/mnt/f"), expected);
  });
}

// --- an absence

TEST(late_errors, the_raw_disk_waits_for_its_stick_and_gives_up) {
  with_cold_file(100, [](session& process, medium& stick) {
    const opened raw(process.context(), "/dev/sda", abi::o_rdwr);
    for (const bool writing : {false, true}) {
      const auto outcome = [&]() -> error {
        return writing ? error_of(raw.write("x")) : error_of(raw.read(1));
      };
      EXPECT_OK(seek_file(*raw, 300 * 1024 + 5, abi::seek_set));
      pull_from(stick, sda);
      const instant begun = now();
      EXPECT_EQ(outcome(), error::eio);
      EXPECT_NEAR(static_cast<double>((now() - begun).ns), 30e9, 2e9) << "io_wait";
      const fiber waiting = spawn("waiting", [&] { EXPECT_EQ(outcome(), error::eintr); });
      sleep_for(1_s);
      EXPECT_TRUE(waiting.asleep());
      waiting.signal();
      waiting.join();
      const fiber patient = spawn("patient", [&] { EXPECT_EQ(outcome(), error{}); });
      sleep_for(1_s);
      plug_as(stick, sda);
      patient.join();
      EXPECT_EQ(seek_file(*raw, 0, abi::seek_cur), 300 * 1024u + 6);
    }
  });
}

// One task reads and waits for the stick; another wants the same file. The volume is given up.
TEST(late_errors, a_file_whose_volume_is_given_up_while_its_lock_is_waited_for) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.hold = 20_s, .io_wait = 600_s}));
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.write("/mnt/f", pattern(1024)));
    EXPECT_OK(process.truncate("/mnt/f", 5000));
    EXPECT_OK(process.umount());
    EXPECT_OK(process.mount());
    {
      const opened reader(process.context(), "/mnt/f", abi::o_rdonly);
      const opened other(process.context(), "/mnt/f", abi::o_rdonly);
      EXPECT_OK(process.write("/mnt/g", "dirty"));
      EXPECT_OK(seek_file(*other, 500, abi::seek_set));
      pull_from(stick, sda);
      const fiber first = spawn("first", [&] { EXPECT_ERROR(error::eio, reader.read(10)); });
      sleep_for(1_s);
      const fiber second = spawn("second", [&] { EXPECT_ERROR(error::eio, other.read(10)); });
      const fiber third = spawn("third", [&] { EXPECT_ERROR(error::eintr, reader.read(10)); });
      sleep_for(1_s);
      third.signal();
      third.join();
      await_state(sda, volume_state::dead);
      first.join();
      second.join();
    }
    static_cast<void>(process.umount());
  });
}

// fsync goes on after a pull at any moment, and what it promised is on the medium.
TEST(late_errors, fsync_outlasts_a_pull_at_each_of_its_steps) {
  bool pulled = true;
  for (u32 step = 1; pulled && step < 60; ++step) {
    SCOPED_TRACE(step);
    medium stick(mkfs_minix(400));
    run(1, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      opened f(process.context(), "/mnt/f", abi::o_rdwr | abi::o_creat);
      EXPECT_OK(f.write(pattern(3000)));
      stick.pull_at(stick.steps() + step, {});
      const fiber syncing = spawn("sync", [&] { EXPECT_OK(sync_file(*f)); });
      sleep_for(5_s);
      pulled = !stick.plugged();
      if (pulled) {
        EXPECT_FALSE(syncing.ended());
        stick.plug();
      }
      syncing.join();
      stick.pull_at(0, {});
      const minix_image seen(stick.durable());
      EXPECT_EQ(seen.files().contains("/f") ? seen.files().at("/f").content : "", pattern(3000));
      EXPECT_OK(f.close());
      EXPECT_OK(process.umount());
    });
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_FALSE(pulled);
}

}  // namespace
