// Work that goes on while its volume ends or another one is pulled: barriers, waits and errors.
#include <gtest/gtest.h>

#include <optional>

#include "drivers/block/media_event.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/operation.h"
#include "fs/replug/replugd.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/checkpoint/other_batches.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// The first flush fails and drops the cache. From then on every write to this block fails.
void lose_cache_and_refuse(medium& stick, u32 block) {
  stick.fault = [&stick, block, failed = false](block_command cmd, lba first,
                                                u32 sectors) mutable -> std::optional<error> {
    const u32 at = block * SECTORS_PER_BLOCK;
    const bool hit = first.value() <= at && at < first.value() + sectors;
    if (cmd == block_command::write && failed && hit) return error::eio;
    if (cmd != block_command::flush || failed) return {};
    failed = true;
    stick.forget_cache();
    return error::eio;
  };
}

// A stick that refuses one block of a lost cache: the other blocks are made durable all the same.
TEST(barriers, one_refused_block_keeps_no_other_block) {
  with_stick([](medium& stick) {
    for (u32 block = 10; block < 20; ++block) {
      ASSERT_TRUE(fill_block(sda, block * 2, 0x55));
    }
    ASSERT_TRUE(write_buffers(sda));
    lose_cache_and_refuse(stick, 30);
    EXPECT_FALSE(checkpoint::barrier(sda));
    EXPECT_EQ(held(), 1u);
    for (u32 block = 10; block < 20; ++block)
      EXPECT_EQ(block_is(stick.durable(), block * 2, 0x55), block * 2 != 30) << block * 2;
    EXPECT_FALSE(checkpoint::barrier(sda)) << "the refused block was not told";
    stick.fault = {};
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(held(), 0u);
  });
}

// Nor does it fail the change of another block that needs a flush.
TEST(barriers, one_refused_block_fails_no_change_of_another) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 30, 0x55));
    for (u8 value = 100; value < 104; ++value) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 600, value));
      ASSERT_TRUE(write_buffers(sda));
    }
    lose_cache_and_refuse(stick, 30);
    EXPECT_FALSE(checkpoint::barrier(sda));
    for (u8 value = 110; value < 120; ++value) {
      EXPECT_TRUE(change_bytes(sda, 5, 0, 600, value));
      ASSERT_TRUE(write_buffers(sda));
    }
    stick.fault = {};
    EXPECT_TRUE(checkpoint::barrier(sda));
  });
}

// A barrier waits for the batch. Meanwhile its stick is pulled and given up.
TEST(barriers, may_outlive_their_volume) {
  medium other(numbered_image(), "OTHER");
  with_stick([&](medium& stick) {
    sim::pin(sda);
    plug_as(other, sdb);
    ASSERT_TRUE(change_bytes(sdb, 5, 0, 10, 0x55));
    pull_from(other, sdb);
    sleep_for(100_ms);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    lose_cache_and_refuse(stick, 500);
    const other_batches elsewhere;
    other.least_latency = other.most_latency = 5_s;
    other.plug();
    await_state(sdb, volume_state::verify);
    const fiber flusher =
        spawn("flusher", [] { EXPECT_EQ(checkpoint::barrier(sda), fail(error::eio)); });
    sleep_for(1_s);
    EXPECT_FALSE(flusher.ended());
    pull_from(stick, sda);
    ASSERT_TRUE(checkpoint::drop_volume(*checkpoint::volume_of(sda)));
    flusher.join();
    sim::unpin(sda);
    await_state(sdb, volume_state::live);
  });
}

// umount waits for the end of an operation on an absent stick. The operation changes nothing.
TEST(row_21, umount_notices_the_end_of_the_last_operation) {
  with_mounted_stick([](medium& stick, session& process) {
    std::optional<result<operation>> op(operation::begin(sda));
    ASSERT_TRUE(*op);
    pull_from(stick, sda);
    const fiber unmounter = spawn("umount", [&] { EXPECT_TRUE(process.umount()); });
    sleep_for(1_s);
    EXPECT_FALSE(unmounter.ended());
    op.reset();
    sleep_for(1_s);
    EXPECT_TRUE(unmounter.ended());
    unmounter.signal();
    unmounter.join();
  });
}

// The region is full of the blocks of other sticks. The one with more blocks is pulled while it is
// flushed to make room: the other is flushed then.
TEST(rule_10, a_pull_while_room_is_made_does_not_fail_the_other_stick) {
  medium other(numbered_image(), "OTHER"), third(numbered_image(), "THIRD");
  with_stick(1, {.buffers = 256, .slots = least_slots}, [&](medium& stick) {
    plug_as(other, sdb);
    plug_as(third, dev_id(8, 32));
    for (u32 block = 0; block < 40; ++block) ASSERT_TRUE(fill_block(sda, block * 2, 0x55));
    for (u32 block = 0; block < 20; ++block)
      ASSERT_TRUE(fill_block(dev_id(8, 32), block * 2, 0x55));
    checkpoint::reservation of_others;
    ASSERT_TRUE(of_others.grant(checkpoint::unreserved() - 20));
    stick.least_latency = stick.most_latency = 100_ms;
    const fiber writer = spawn("writer", [] { EXPECT_TRUE(fill_block(sdb, 300, 0x66)); });
    sleep_for(10_ms);
    EXPECT_FALSE(writer.ended());
    pull_from(stick, sda);
    sleep_for(2_s);
    EXPECT_TRUE(writer.ended());
    writer.join();
    EXPECT_TRUE(checkpoint::drop_volume(*checkpoint::volume_of(sda)));
  });
}

// Nor does a stick that refuses its blocks: the other is flushed then.
TEST(rule_10, a_refusing_stick_keeps_no_room_from_another_stick) {
  medium other(numbered_image(), "OTHER");
  with_stick(1, {.buffers = 256, .slots = least_slots}, [&](medium& stick) {
    plug_as(other, sdb);
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    for (u32 block = 0; fill_block(sda, block * 2, 0x55); ++block) {
    }
    std::optional<result<operation>> of_another_task(operation::begin(sdb));
    ASSERT_TRUE(*of_another_task);
    const fiber writer = spawn("writer", [] { EXPECT_TRUE(fill_block(sdb, 300, 0x66)); });
    sleep_for(1_s);
    EXPECT_FALSE(writer.ended());
    of_another_task.reset();
    writer.join();
    stick.fault = {};
  });
}

// Ends each request at once, or none while it is busy.
class quick_disk final : public block_device {
 public:
  quick_disk() {
    identity.sectors = 1024;
    removable = true;
  }
  void leave() {
    die();
    media_left(*this);
  }
  bool busy = false;

 private:
  void request_fn() override {
    while (request* r = busy ? nullptr : next_request()) end_request(*r, {});
  }
};

// A machine whose /dev/sda is pulled during `call`, and is given up at once.
void with_pull_during(const boot_options& options, bool in_use,
                      const std::function<void(session&)>& before,
                      const std::function<void(session&)>& call) {
  run(1, [&] {
    session mine(boot_with_root(options));
    quick_disk stick;
    media_arrived(stick);
    await_state(sda, volume_state::live);
    if (in_use) sim::pin(sda);
    before(mine);
    checkpoint::current_settings().hold = {};
    stick.busy = true;
    const fiber caller = spawn("caller", [&] { call(mine); });
    sleep_for(1_s);
    EXPECT_FALSE(caller.ended());
    stick.leave();
    caller.join();
    EXPECT_FALSE(said("nothing is lost"));
    if (in_use) sim::unpin(sda);
    EXPECT_TRUE(stick.wait_unreferenced());
  });
}

TEST(syncs, tell_what_was_given_up_meanwhile) {
  for (const bool in_use : {true, false})
    for (const duration hold : {300_s, 0_s})
      with_pull_during(
          {.hold = hold}, in_use, [](session&) { ASSERT_TRUE(fill_block(sda, 5, 1)); },
          [](session&) { EXPECT_FALSE(sys_sync()); });
}

TEST(syncs, at_close_tell_what_was_given_up_meanwhile) {
  file* disk = nullptr;
  const auto write = [&](session& mine) {
    const result<file*> opened = open_file(mine.context(), "/dev/sda", abi::o_wronly, 0);
    ASSERT_TRUE(opened);
    disk = *opened;
    const std::string text(20'000, 'x');
    ASSERT_TRUE(write_open_file(*disk, std::as_bytes(std::span(text))));
  };
  for (const bool in_use : {true, false})
    with_pull_during({}, in_use, write, [&](session&) { EXPECT_FALSE(close_file(*disk)); });
}

// A write error of one stick is not told about the next stick with its name.
TEST(write_errors, end_with_their_stick) {
  medium next(numbered_image(), "NEXT");
  with_stick([&](medium& stick) {
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_FALSE(write_buffers(sda));
    pull_from(stick, sda);
    ASSERT_TRUE(checkpoint::drop_volume(*checkpoint::volume_of(sda)));
    plug_as(next, sda);
    EXPECT_TRUE(sync_dev(sda));
  });
}

}  // namespace
