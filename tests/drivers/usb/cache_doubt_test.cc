// The events after which completed writes may be lost (scsi.h): they are counted by caches_lost().
#include <gtest/gtest.h>

#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr scsi_target::sense write_error{3, 0x0C, 0}, deferred_error{3, 0x0C, 0, true};

TEST(usb_cache, a_flush_that_fails_is_not_tried_again) {
  for (const scsi_target::sense why : {write_error, {4, 0x44, 0}, {0x0B, 0, 6}, {0, 0, 0}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      s.stick.disk.failures.push_back(why);
      EXPECT_EQ(disk.flush().error(), error::eio);
      EXPECT_EQ(s.stick.count(synchronize), 1u);
      const u32 lost = disk.caches_lost();
      EXPECT_EQ(lost, why.key == 0 ? 2u : 1u)
          << "without a reason it may be an earlier failure, too";
      EXPECT_TRUE(disk.flush());
      EXPECT_EQ(disk.caches_lost(), lost);
    });
}

TEST(usb_cache, nor_is_one_that_gets_no_status_or_a_wrong_one) {
  const std::vector<std::function<void(fake_stick::answer&)>> ways{
      [](fake_stick::answer& a) { a.silent = true; }, [](fake_stick::answer& a) { --a.tag; },
      [](fake_stick::answer& a) { a.status = 2; }};
  for (const auto& way : ways)
    with_disk({}, [&](served_stick& s, block_device& disk) {
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        if (cbw.cdb[0] == synchronize) way(answer);
      };
      EXPECT_EQ(disk.flush().error(), error::eio);
      EXPECT_EQ(s.stick.count(synchronize), 1u);
      EXPECT_EQ(s.stick.resets, 1u);
      EXPECT_GT(disk.caches_lost(), 0u);
    });
}

// The device was not ready, or had a message: it has not begun to flush, so nothing is lost.
TEST(usb_cache, a_flush_that_was_not_executed_is_tried_again) {
  for (const scsi_target::sense why : {scsi_target::sense{6, 0x2A, 1}, {2, 0x04, 1}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      s.stick.disk.failures.push_back(why);
      EXPECT_TRUE(disk.flush());
      EXPECT_EQ(s.stick.count(synchronize), 2u);
      EXPECT_EQ(disk.caches_lost(), 0u);
    });
}

// SPC-4, 4.5.5: any command may be the one that is told of it. That command was not executed and is
// sent again; the writes before it are in doubt, whatever the error is.
TEST(usb_cache, a_deferred_error_puts_earlier_writes_in_doubt) {
  for (const block_command cmd : {block_command::read, block_command::write})
    for (u8 key = 0; key < 16; ++key)
      with_disk({}, [&](served_stick& s, block_device& disk) {
        dma_block block;
        block.fill(0x5A);
        s.stick.disk.failures.push_back({key, 0x29, 0, true});
        const u8 opcode = cmd == block_command::read ? read_10 : write_10;
        const u32 before = s.stick.count(opcode);
        EXPECT_TRUE(block.move(disk, cmd, 8));
        EXPECT_EQ(s.stick.count(opcode), before + 2);
        EXPECT_EQ(disk.caches_lost(), 1u);
        EXPECT_TRUE(disk.flush());
        EXPECT_EQ(disk.caches_lost(), 1u);
        EXPECT_EQ(s.departures, 0u);
      });
}

// An idle reader of cards is asked every second whether its card is there: what it answers is
// not forgotten until the next request.
TEST(usb_cache, a_deferred_error_of_an_idle_device_counts) {
  with_disk([](fake_stick& stick) { stick.disk.removable_medium = true; },
            [](served_stick& s, block_device& disk) {
              dma_block block;
              EXPECT_TRUE(block.move(disk, block_command::write, 8));
              s.stick.disk.failures.push_back(deferred_error);
              sleep_for(3_s);
              EXPECT_TRUE(s.stick.disk.failures.empty());
              EXPECT_TRUE(disk.flush());
              EXPECT_EQ(disk.caches_lost(), 1u);
            });
}

TEST(usb_cache, a_flush_that_learns_of_a_deferred_error_has_failed) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    s.stick.disk.failures.push_back(deferred_error);
    EXPECT_EQ(disk.flush().error(), error::eio);
    EXPECT_EQ(s.stick.count(synchronize), 1u);
    EXPECT_GT(disk.caches_lost(), 0u);
  });
}

// Without sense data, the failure may be that of an earlier command.
TEST(usb_cache, a_failure_without_sense_puts_earlier_writes_in_doubt) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.disk.failures.push_back(write_error);
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] == request_sense) answer.status = 1;
    };
    EXPECT_TRUE(block.move(disk, block_command::write, 8)) << "it is sent again";
    EXPECT_EQ(disk.caches_lost(), 1u);
  });
}

TEST(usb_cache, a_reset_of_the_device_puts_earlier_writes_in_doubt) {
  for (const u8 opcode : {read_10, write_10, request_sense})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      dma_block block;
      if (opcode == request_sense) s.stick.disk.failures.push_back(write_error);
      bool once = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        if (cbw.cdb[0] == opcode && !std::exchange(once, true)) answer.status = 2;
      };
      const bool read = opcode == read_10;
      EXPECT_TRUE(block.move(disk, read ? block_command::read : block_command::write, 8));
      EXPECT_EQ(s.stick.resets, 1u);
      EXPECT_EQ(disk.caches_lost(), 1u);
    });
}

// Nothing was written before the disk arrived, so a reset before that is not counted.
TEST(usb_cache, nothing_is_in_doubt_at_the_arrival) {
  bool once = false;
  with_disk(
      [&](fake_stick& stick) {
        stick.meddle = [&](const command_block_wrapper&, fake_stick::answer& answer) {
          if (!std::exchange(once, true)) answer.status = 2;
        };
      },
      [](served_stick& s, block_device& disk) {
        EXPECT_EQ(s.stick.resets, 1u);
        EXPECT_TRUE(disk.flush());
        EXPECT_EQ(disk.caches_lost(), 0u);
      });
}

// --- no SYNCHRONIZE CACHE ---

TEST(usb_no_cache, a_flush_asks_whether_the_medium_is_there) {
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
      },
      [](served_stick& s, block_device& disk) {
        EXPECT_TRUE(disk.flush());
        EXPECT_TRUE(said("write through, though it tells of a write cache\n"));
        const u32 asked = s.stick.count(test_unit_ready);
        EXPECT_TRUE(disk.flush());
        EXPECT_EQ(s.stick.count(test_unit_ready), asked + 1);
        s.stick.disk.failures.push_back({6, 0x28, 0});
        EXPECT_EQ(disk.flush(), fail(error::enodev));
        block_device* again = s.await_arrival();
        ASSERT_TRUE(again);
        s.stick.disk.never_succeeds.clear();
        const u32 flushed = s.stick.count(synchronize);
        EXPECT_TRUE(again->flush());
        EXPECT_EQ(s.stick.count(synchronize), flushed + 1) << "another medium is asked anew";
      });
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
        stick.disk.tells_write_cache = false;
      },
      [](served_stick&, block_device& disk) {
        EXPECT_TRUE(disk.flush());
        EXPECT_TRUE(said("taken to write through\n"));
      });
}

}  // namespace
}  // namespace usb::storage
