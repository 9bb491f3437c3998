// Write errors belong to files (file_errors.h): each open file learns once of those of its file,
// and of no others.
#include "fs/file_errors.h"

#include <gtest/gtest.h>

#include <optional>

#include "fs/buffer/buffer_table.h"
#include "fs/inode_io.h"
#include "fs/inode_table.h"
#include "fs/namei.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;

// Commands of this kind that touch this block fail.
void refuse(medium& stick, block_command which, block_nr block, error why) {
  stick.fault = [=](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
    const u32 at = block.value() * SECTORS_PER_BLOCK, end = first.value() + sectors;
    const bool here = first.value() < at + SECTORS_PER_BLOCK && at < end;
    return here && cmd == which ? std::optional(why) : std::nullopt;
  };
}
void refuse_writes(medium& stick, block_nr block, error why = error::eio) {
  refuse(stick, block_command::write, block, why);
}

block_nr first_block_of(session& process, const std::string& path) {
  return block_nr{namei(process.context(), path).value()->i_zone[0]};
}

// /mnt/a and /mnt/b are durable; their blocks are no neighbours, so that no request has both.
void with_two_files(const boot_options& options,
                    const std::function<void(medium&, session&)>& body) {
  with_mounted_stick(1, options, [&](medium& stick, session& process) {
    for (const char* path : {"/mnt/a", "/mnt/between", "/mnt/b"})
      ASSERT_TRUE(process.write(path, pattern(100)));
    ASSERT_TRUE(sys_sync());
    body(stick, process);
    stick.fault = nullptr;
    if (!stick.plugged()) plug_as(stick, sda);
    EXPECT_OK(process.umount());
  });
}

TEST(file_errors, each_open_file_learns_once) {
  with_two_files({}, [](medium& stick, session& process) {
    opened one(process.context(), "/mnt/a", abi::o_rdwr);
    opened two(process.context(), "/mnt/a", abi::o_rdonly);
    opened closing(process.context(), "/mnt/a", abi::o_rdwr);
    ASSERT_EQ(one.write("x"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_ERROR(error::eio, sys_sync());
    stick.fault = nullptr;
    opened later(process.context(), "/mnt/a", abi::o_rdwr);
    EXPECT_ERROR(error::eio, sync_file(*one));
    EXPECT_OK(sync_file(*one));
    EXPECT_ERROR(error::eio, sync_file(*two)) << "also when one has learnt it";
    EXPECT_OK(sync_file(*two));
    EXPECT_ERROR(error::eio, closing.close());
    EXPECT_OK(later.close());  // it was opened after the error
    EXPECT_OK(one.close());
  });
}

TEST(file_errors, are_no_errors_of_another_file) {
  with_two_files({}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    opened b(process.context(), "/mnt/b", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    ASSERT_EQ(b.write("y"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_OK(sync_file(*b));
    const size_t at = first_block_of(process, "/mnt/b").value() * BLOCK_SIZE;
    EXPECT_EQ(stick.durable()[at], byte{'y'});
    EXPECT_OK(b.close());
    EXPECT_ERROR(error::eio, sync_file(*a));
    EXPECT_ERROR(error::eio, sync_file(*a)) << "it is still not durable";
    stick.fault = nullptr;
    EXPECT_OK(sync_file(*a));
  });
}

// A block of the inode table, and one of a bitmap: each file may depend on it.
TEST(file_errors, of_the_file_system_concern_all_its_files) {
  for (const bool bitmap : {false, true})
    with_two_files({}, [=](medium& stick, session& process) {
      opened a(process.context(), "/mnt/a", abi::o_rdwr);
      opened b(process.context(), "/mnt/b", abi::o_rdwr);
      refuse_writes(stick, bitmap ? get_super(sda)->zmap() : place_of(*(*b).f_inode).block);
      ASSERT_EQ(a.write(pattern(3'000)), 3'000u);
      EXPECT_ERROR(error::eio, sync_file(*b));
      EXPECT_ERROR(error::eio, sync_file(*a));
      stick.fault = nullptr;
      EXPECT_ERROR(error::eio, sync_file(*b)) << "the try of the other one";
      EXPECT_OK(sync_file(*b));
      EXPECT_OK(b.close());
    });
}

// Without shadows it is not known which file a block belongs to.
TEST(file_errors, without_shadows_concern_all_files) {
  with_two_files({.hold = duration{}}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    opened b(process.context(), "/mnt/b", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_ERROR(error::eio, sync_file(*b));
    stick.fault = nullptr;
    EXPECT_ERROR(error::eio, sync_file(*a)) << "the write that fsync of b has tried";
    EXPECT_OK(sync_file(*a));
    EXPECT_OK(b.close());
  });
}

// Another file system, on another stick.
TEST(file_errors, of_one_stick_are_not_those_of_another) {
  with_two_mounted_sticks([](medium& stick, medium&, session& process) {
    ASSERT_TRUE(process.write("/mnt/a", "1"));
    ASSERT_TRUE(process.write("/mnt2/b", "1"));
    ASSERT_TRUE(sys_sync());
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    opened b(process.context(), "/mnt2/b", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    ASSERT_EQ(b.write("y"), 1u);
    refuse_writes(stick, get_super(sda)->inode_table());
    EXPECT_ERROR(error::eio, sync_file(*a));
    EXPECT_OK(sync_file(*b));
    EXPECT_OK(b.close());
    stick.fault = nullptr;
    static_cast<void>(a.close());
    EXPECT_OK(process.umount("/mnt2"));
    EXPECT_OK(process.umount());
  });
}

TEST(file_errors, concern_the_open_disk) {
  with_two_files({}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    opened raw(process.context(), "/dev/sda", abi::o_rdwr);
    opened other(process.context(), "/dev/sda", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_ERROR(error::eio, sync_file(*raw)) << "the disk is not durable";
    stick.fault = nullptr;
    EXPECT_OK(sync_file(*raw));
    EXPECT_ERROR(error::eio, other.close());
    EXPECT_ERROR(error::eio, a.close());
  });
}

// The stick completes no SYNCHRONIZE CACHE: no WRITE is refused. What is not proved to be durable
// is an error of the files that depend on it.
TEST(file_errors, of_a_flush_concern_what_it_does_not_prove) {
  for (const duration hold : {300_s, duration{}})
    with_two_files({.hold = hold}, [=](medium& stick, session& process) {
      opened a(process.context(), "/mnt/a", abi::o_rdwr);
      opened b(process.context(), "/mnt/b", abi::o_rdwr);
      const auto refuse_flushes = [&] {
        stick.fault = [](block_command cmd, lba, u32) {
          return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
        };
      };
      refuse_flushes();
      ASSERT_TRUE(chmod_path(process.context(), "/mnt/b", 0600));
      EXPECT_ERROR(error::eio, sync_file(*b)) << "its inode";
      stick.fault = nullptr;
      static_cast<void>(sync_file(*a)), static_cast<void>(sync_file(*b));
      EXPECT_OK(sync_file(*b));
    });
}

// What was cured, or told by fsync, does not keep a stick from being unmounted.
TEST(file_errors, that_are_over_hold_up_no_umount) {
  with_two_files({}, [](medium& stick, session& process) {
    ASSERT_TRUE(process.write_at("/mnt/a", 0, "x"));
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_ERROR(error::eio, process.sync_file("/mnt/a"));
    EXPECT_ERROR(error::eio, process.umount()) << "not while a block waits";
    stick.fault = nullptr;
    EXPECT_OK(process.umount());
    EXPECT_OK(sys_sync());  // nothing is left to tell
    EXPECT_OK(process.mount());
  });
}

// fsync that a signal ends has told nothing: the error is still there.
TEST(file_errors, are_told_after_a_signal) {
  with_two_files({}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"));
    EXPECT_ERROR(error::eio, sys_sync());
    stick.fault = nullptr;
    pull_from(stick, sda);
    const fiber waiting = spawn("fsync", [&] { EXPECT_ERROR(error::eintr, sync_file(*a)); });
    sleep_for(1_s);
    waiting.signal();
    waiting.join();
    plug_as(stick, sda);
    EXPECT_ERROR(error::eio, sync_file(*a));
    EXPECT_OK(a.close());
  });
}

// The next flush fails; what the stick's cache has is lost.
void fail_one_flush(medium& stick) {
  stick.fault = [&stick, done = false](block_command cmd, lba,
                                       u32) mutable -> std::optional<error> {
    if (cmd != block_command::flush || done) return std::nullopt;
    done = true;
    stick.forget_cache();
    return error::eio;
  };
}

// The error of a disk is not told to the close of its descriptor while the stick is away.
TEST(file_errors, close_of_an_absent_disk_tells_an_earlier_error) {
  with_two_files({}, [](medium& stick, session& process) {
    opened raw(process.context(), "/dev/sda", abi::o_rdwr);
    ASSERT_TRUE(seek_file(*raw, 390 * BLOCK_SIZE, abi::seek_set));
    ASSERT_EQ(raw.write(pattern(BLOCK_SIZE)), BLOCK_SIZE);
    refuse_writes(stick, block_nr{390});
    EXPECT_ERROR(error::eio, sys_sync());
    stick.fault = nullptr;
    pull_from(stick, sda);
    EXPECT_ERROR(error::eio, raw.close());
  });
}

// Without shadows: the flush of another task (`update`) fails, and the stick has dropped the
// block. fsync flushes once more and proves nothing.
TEST(file_errors, without_shadows_a_flush_that_failed_is_told_to_each_file) {
  with_two_files({.hold = duration{}}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    const size_t at = first_block_of(process, "/mnt/a").value() * BLOCK_SIZE;
    fail_one_flush(stick);
    EXPECT_ERROR(error::eio, sys_sync());
    stick.fault = nullptr;
    const result<void> synced = sync_file(*a);
    EXPECT_TRUE(!synced || stick.durable()[at] == byte{'x'}) << "fsync has succeeded; it is lost";
    EXPECT_ERROR(error::eio, synced);
  });
}

// The stick refuses with erofs: a write of another file (sense DATA PROTECT).
TEST(file_errors, of_a_stick_that_locks_itself_are_no_errors_of_another_file) {
  with_two_files({}, [](medium& stick, session& process) {
    opened a(process.context(), "/mnt/a", abi::o_rdwr);
    opened b(process.context(), "/mnt/b", abi::o_rdwr);
    ASSERT_EQ(a.write("x"), 1u);
    ASSERT_EQ(b.write("y"), 1u);
    refuse_writes(stick, first_block_of(process, "/mnt/a"), error::erofs);
    EXPECT_OK(sync_file(*b));
    EXPECT_EQ(stick.durable()[first_block_of(process, "/mnt/b").value() * BLOCK_SIZE], byte{'y'});
    EXPECT_OK(b.close());
    stick.fault = nullptr;
    static_cast<void>(sync_file(*a));
  });
}

// An inode is dirty without a block in the region (ckpt force: distrust_inodes), its block
// cannot be read, and at the end of fsync another task has locked it for one more try.
TEST(file_errors, of_its_own_inode_are_not_overlooked_while_it_is_locked) {
  with_two_files({}, [](medium& stick, session& process) {
    for (u32 i = 0; i < 35; ++i) ASSERT_TRUE(process.write("/mnt/f" + std::to_string(i), ""));
    ASSERT_TRUE(process.write("/mnt/late", pattern(100)));
    opened a(process.context(), "/mnt/late", abi::o_rdwr);
    opened raw(process.context(), "/dev/sda", abi::o_rdwr);
    const m_inode& inode = *(*a).f_inode;
    const block_nr table = place_of(inode).block;
    ASSERT_NE(table, get_super(sda)->inode_table());  // so that the root is not dirty too
    u32 lies = 0, failed = 0;
    bool over = false;
    ASSERT_TRUE(sys_sync());
    distrust_inodes(sda);
    forget_inode_table(sda);
    refuse(stick, block_command::read, table, error::eio);
    EXPECT_ERROR(error::eio, sync_file(*a));  // no other task has it locked
    ASSERT_TRUE(inode.i_dirt);
    u32 changed = 0;
    const fiber other = spawn("chmod", [&] {
      session own = process.fork();
      while (!over) {
        changed += chmod_path(own.context(), "/mnt/late", 0600).has_value();
        sleep_for(10_us);
      }
    });
    for (u32 i = 0; i < 50; ++i) {
      ASSERT_TRUE(seek_file(*raw, 390 * BLOCK_SIZE, abi::seek_set));
      ASSERT_EQ(raw.write(pattern(8, i)), 8u);
      const result<void> synced = sync_file(*a);
      lies += synced && inode.i_dirt;
      failed += !synced;
    }
    EXPECT_EQ(lies, 0u) << "of 50: fsync has succeeded, and the inode is dirty; failed: " << failed;
    over = true;
    other.join();
    EXPECT_EQ(changed, 0u);
    EXPECT_TRUE(inode.i_dirt);
    EXPECT_ERROR(error::eio, sync_file(*a));
    stick.fault = nullptr;
    EXPECT_OK(sync_file(*a));
  });
}

// A stick that has locked itself (DATA PROTECT, 27h) refuses all writes with erofs.
void lock(medium& stick) {
  stick.fault = [](block_command cmd, lba, u32) {
    return cmd == block_command::write ? std::optional(error::erofs) : std::nullopt;
  };
}

TEST(file_errors, of_a_stick_that_has_locked_itself_do_not_hold_up_umount_by_force) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    lock(stick);
    EXPECT_FALSE(process.umount()) << "it stays mounted";
    static_cast<void>(process.umount("/mnt", true));
    EXPECT_FALSE(process.read("/mnt/file")) << "by force it does not";
    stick.fault = nullptr;
    static_cast<void>(process.umount());
    EXPECT_TRUE(sys_sync());
  });
}

}  // namespace
