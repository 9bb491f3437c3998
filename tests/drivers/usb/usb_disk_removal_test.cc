// A disk whose stick goes while commands are under way.
#include <gtest/gtest.h>

#include <vector>

#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"

namespace usb::storage {
namespace {

using namespace sim;

// A caller that gets enodev finds the device gone.
TEST(usb_disk, is_gone_before_its_last_request_ends) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    static block_device* asked;
    static bool gone;
    asked = &disk;
    s.stick.meddle = [](const command_block_wrapper&, fake_stick::answer& answer) {
      answer.silent = true;
    };
    dma_block block;
    block.head.b_end_io = [](buffer_head&, bool, result<void>) { gone = asked->gone(); };
    const auto hand = spawn("hand", [&] {
      sleep_for(100_ms);
      s.stick.pull();
    });
    static_cast<void>(block.move(disk, block_command::write, 8));
    hand.join();
    EXPECT_TRUE(gone);
  });
}

TEST(usb_disk, a_device_that_never_recovers_ends_the_plug) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    stick.reset_outcome = error::eio;
    stick.meddle = [](const command_block_wrapper&, fake_stick::answer& answer) {
      answer.status = 2;
    };
    dma_block block;
    EXPECT_FALSE(block.move(*disk, block_command::read, 8));
    s.task->join();
    EXPECT_EQ(s.departures, 1u);
    EXPECT_TRUE(stick.gone());
  });
}

// Whichever command it was, and whether its first try failed or its second one: the data wait for
// the stick, as after a pull.
TEST(usb_disk, a_device_that_does_not_recover_refuses_nothing) {
  struct row {
    u8 command;
    u32 fails_to_recover;
  };
  for (const auto& [command, fails_to_recover] :
       {row{write_10, 1}, row{write_10, 2}, row{synchronize, 1}})
    run(1, [=] {
      fake_stick stick;
      served_stick s(stick);
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      dma_block block;
      EXPECT_TRUE(block.move(*disk, block_command::write, 8));
      stick.meddle = [&stick, command, left = fails_to_recover](
                         const command_block_wrapper& cbw, fake_stick::answer& answer) mutable {
        if (cbw.cdb[0] != command) return;
        ++answer.tag;
        if (--left == 0) stick.reset_outcome = error::eio;
      };
      const result<void> outcome =
          command == synchronize ? disk->flush() : block.move(*disk, block_command::write, 8);
      EXPECT_NE(outcome, fail(error::eio)) << u32{command} << ' ' << fails_to_recover;
      s.task->join();
      EXPECT_EQ(s.departures, 1u);
    });
}

// A pull ends every wait for the device, in any stage of a command.
TEST(usb_disk, a_pull_ends_everything_at_once) {
  for (const u8 hangs_in : {read_10, write_10, synchronize})
    run(1, [&] {
      fake_stick stick;
      served_stick s(stick);
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        answer.silent = cbw.cdb[0] == hangs_in;
      };
      disk->hold();
      std::vector<fiber> users;
      users.push_back(spawn("flush", [&] {
        const result<void> flushed = disk->flush();
        EXPECT_TRUE(hangs_in != synchronize || flushed == fail(error::enodev));
      }));
      for (const block_command cmd : {block_command::read, block_command::write})
        for (u32 i = 0; i < 4; ++i)
          users.push_back(spawn("user", [&, cmd, i] {
            dma_block block;
            static_cast<void>(block.move(*disk, cmd, i * 100));
          }));
      sleep_for(1_s);
      const instant pulled = now();
      stick.pull();
      for (const fiber& user : users) user.join();
      EXPECT_LT((now() - pulled).milliseconds(), 1);
      EXPECT_TRUE(disk->gone());
      EXPECT_EQ(disk->flush().error(), error::enodev);
      EXPECT_GE(stick.releases, 1u) << "the port must be free although somebody holds the disk";
      disk->drop();
      s.task->join();
    });
}

// The same when its card was taken out before: a reference to the former disk keeps neither the
// next device out of the port nor the controller from being started anew.
TEST(usb_disk, the_port_is_free_when_a_reader_without_its_card_is_pulled) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    disk->hold();
    dma_block block;
    stick.disk.failures.push_back({6, 0x28, 0});
    EXPECT_FALSE(block.move(*disk, block_command::read, 8));
    sleep_for(1_s);
    EXPECT_TRUE(disk->gone());
    EXPECT_EQ(stick.releases, 0u);
    stick.pull();
    sleep_for(1_s);
    EXPECT_GE(stick.releases, 1u);
    disk->drop();
    s.task->join();
  });
}

}  // namespace
}  // namespace usb::storage
