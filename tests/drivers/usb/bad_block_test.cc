// One bad block among many (usb_disk.h), and data that the device has left: it has failed, or its
// residue says so.
#include <gtest/gtest.h>

#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

// A write or read of a place fails; a hardware error (key 4) may be one of the place, too.
TEST(usb_pieces, only_the_bad_block_of_a_request_fails) {
  for (const block_command cmd : {block_command::read, block_command::write})
    for (const u32 bad : {0u, 3u, 7u})
      for (const u8 key : {u8{3}, u8{4}, u8{0x0B}})
        with_disk({}, [=](served_stick& s, block_device& disk) {
          const u8 opcode = cmd == block_command::read ? read_10 : write_10;
          s.stick.disk.fault_key = key;
          s.stick.storage.fault = [=](block_command, lba first, u32 n) -> std::optional<error> {
            const u32 at = 20 + 2 * bad;
            if (first.value() <= at && at < first.value() + n) return error::eio;
            return {};
          };
          dma_blocks<8> blocks;
          blocks.move(disk, cmd, 20);
          for (u32 i = 0; i < 8; ++i) {
            const buffer_head& head = blocks.heads[i];
            EXPECT_EQ(cmd == block_command::read ? head.b_uptodate : !head.b_dirt, i != bad) << i;
            if (cmd == block_command::write) {
              EXPECT_EQ(s.stick.storage.newest(20 + 2 * i)[0] == static_cast<byte>(i + 1), i != bad)
                  << i;
            }
          }
          EXPECT_GE(s.stick.count(opcode), 5u + 7u + 5u) << "the whole, seven blocks, the bad one";
          EXPECT_EQ(requests_in_use(), 0u);
        });
}

TEST(usb_bot, the_data_of_a_failed_write_are_taken_back) {
  for (const u8 status : {u8{0}, u8{1}})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      bool once = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == write_10 && !std::exchange(once, true))
          a.status = status, a.residue = status ? 0 : BLOCK_SIZE, a.leave_data = true;
      };
      dma_block block;
      block.fill(0x5A);
      static_cast<void>(block.move(disk, block_command::write, 8));
      EXPECT_TRUE(block.move(disk, block_command::write, 10));
      EXPECT_EQ(s.stick.storage.newest(10)[0], byte{0x5A});
      EXPECT_EQ(s.stick.resets, 0u);
    });
}

}  // namespace
}  // namespace usb::storage
