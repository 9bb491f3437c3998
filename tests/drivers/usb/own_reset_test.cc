// The driver's own reset of a device (scsi.h): the unit attention that it causes, the news that it
// may have cleared, and the places that cause it again and again (trouble.h).
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

// A disk that takes no media tells of it (06/29) with its next command. Nothing ends by that, but
// what was written before is in doubt.
TEST(usb_own_reset, ends_no_plug_without_media) {
  for (const u8 opcode : {read_10, write_10, synchronize})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      dma_block block;
      EXPECT_TRUE(block.move(disk, block_command::write, 8));
      s.stick.meddle = spoil_once(opcode, phase_error);
      if (opcode == synchronize)
        EXPECT_EQ(disk.flush(), fail(error::eio));
      else
        EXPECT_TRUE(
            block.move(disk, opcode == read_10 ? block_command::read : block_command::write, 8));
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_EQ(s.stick.resets, 1u);
      EXPECT_EQ(s.departures, 0u);
      EXPECT_GT(disk.caches_lost(), 0u);
      EXPECT_TRUE(s.stick.disk.failures.empty()) << "the attention was told";
    });
}

// A success shows that there is no attention left: the next one is a reset of the device's own. A
// recovered error is a success.
TEST(usb_own_reset, explains_no_later_reset) {
  for (const bool recovered : {false, true})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.meddle = spoil_once(read_10, phase_error);
      if (recovered) s.stick.disk.fail_at(read_10, 3, {1, 0x5D, 0});
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_EQ(s.departures, 0u);
      s.stick.disk.failures.push_back({6, 0x29, 0});
      EXPECT_FALSE(block.move(disk, block_command::read, 8));
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, 1u);
    });
}

// A card that was exchanged while its reader did not answer; the reader tells only of the reset, or
// of nothing.
TEST(usb_own_reset, hides_no_exchange) {
  for (const bool tells : {false, true})
    with_disk(take_media, [=](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.disk.reset_clears_attentions = true;
      s.stick.disk.tells_of_resets = tells;
      bool once = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] != write_10 || std::exchange(once, true)) return;
        a.silent = true;
        a.leave_data = true;
        s.stick.disk.failures.push_back({6, 0x28, 0});
      };
      block.fill(0x5A);
      static_cast<void>(block.move(disk, block_command::write, 8));
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, 1u);
      EXPECT_EQ(s.stick.count(write_10), 1u);
      EXPECT_EQ(s.stick.storage.newest(8)[0], byte{0});
    });
}

// Noise on a bad cable: each plug that it ends is followed by the next one soon, however many there
// are. Writers wait for half a minute.
TEST(usb_own_reset, is_followed_by_the_next_plug_soon) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    dma_block block;
    for (u32 i = 0; i < 12; ++i) {
      ASSERT_TRUE(s.await_arrival());
      stick.meddle = spoil_once(write_10, phase_error);
      static_cast<void>(block.move(*s.current, block_command::write, 8));
      sleep_for(1_ms);
      const instant ended = now();
      EXPECT_EQ(s.departures, i + 1);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_LT((now() - ended).milliseconds(), 200) << i;
      EXPECT_TRUE(block.move(*s.current, block_command::write, 8));
    }
    s.finish();
  });
}

// Noise hits another command each time, and the next try succeeds: however many plugs end, none of
// them is an error.
TEST(usb_own_reset, by_noise_is_no_error) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    for (u32 i = 0; i < 20; ++i) {
      ASSERT_TRUE(s.await_arrival());
      stick.meddle = spoil_once(write_10, phase_error);
      dma_block block;
      static_cast<void>(block.move(*s.current, block_command::write, 8 + 2 * i));
      EXPECT_NE(block.head.b_error, error::eio) << "no error, but a pull";
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, i + 1);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(block.move(*s.current, block_command::write, 8 + 2 * i));
    }
    s.finish();
  });
}

// A place at which a stick hangs that says it takes media: three plugs end, and then it is an error
// of that place alone. No plug ends for ever by it.
TEST(usb_own_reset, of_a_bad_place_becomes_its_error) {
  for (const u8 opcode : {read_10, write_10})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      served_stick s(stick);
      const auto cmd = opcode == read_10 ? block_command::read : block_command::write;
      u32 hung = 0;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.cdb[0] == opcode && cbw.cdb[5] == 8 && cbw.cdb[4] == 0;
        hung += a.silent;
      };
      dma_block block;
      for (u32 plug = 1; plug <= 3; ++plug) {
        ASSERT_TRUE(s.await_arrival());
        EXPECT_TRUE(block.move(*s.current, block_command::read, 16)) << "others are read";
        block_device* const disk = s.current;
        const device_reference over_the_sleep(*disk);
        static_cast<void>(block.move(*disk, cmd, 8));
        sleep_for(1_ms);
        EXPECT_TRUE(disk->gone());
        EXPECT_EQ(s.departures, plug);
      }
      ASSERT_TRUE(s.await_arrival());
      for (int again = 0; again < 10; ++again) {
        EXPECT_FALSE(block.move(*s.current, cmd, 8));
        EXPECT_TRUE(block.move(*s.current, block_command::read, 16)) << "others are read";
      }
      EXPECT_EQ(hung, 3u) << "it is not even sent";
      EXPECT_EQ(s.departures, 3u);
      stick.meddle = nullptr;
      sleep_for(60_s);
      EXPECT_TRUE(block.move(*s.current, cmd, 8)) << "it is tried again";
      EXPECT_TRUE(said("usb 0-1: an answer was lost; its medium is looked at anew\n"));
      s.finish();
    });
}

// What the commands that end a plug have in common is the bad place, in whichever way the blocks
// are merged into requests. The other blocks of a request for it are read.
TEST(usb_own_reset, of_a_bad_place_is_recognised_in_any_request) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    u32 hung = 0;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      const u32 first = cbw.cdb[5], end = first + cbw.cdb[8];
      a.silent = cbw.cdb[0] == read_10 && cbw.cdb[4] == 0 && first <= 14 && 14 < end;
      hung += a.silent;
    };
    const auto end_a_plug = [&](const std::function<void(block_device&)>& move) {
      ASSERT_TRUE(s.await_arrival());
      block_device& disk = *s.current;
      const device_reference over_the_sleep(disk);
      move(disk);
      sleep_for(1_ms);
      EXPECT_TRUE(disk.gone());
    };
    end_a_plug([](block_device& disk) { dma_blocks<8>().move(disk, block_command::read, 8); });
    end_a_plug([](block_device& disk) {
      dma_block block;
      EXPECT_FALSE(block.move(disk, block_command::read, 14));
    });
    end_a_plug([](block_device& disk) { dma_blocks<4>().move(disk, block_command::read, 12); });
    ASSERT_TRUE(s.await_arrival());
    dma_blocks<8> blocks;
    blocks.move(*s.current, block_command::read, 10);
    for (u32 i = 0; i < 8; ++i) EXPECT_EQ(blocks.heads[i].b_uptodate, i != 2) << i;
    EXPECT_EQ(hung, 3u);
    EXPECT_EQ(s.departures, 3u);
    s.finish();
  });
}

// Four bad places in turn: each of them is known after three ends.
TEST(usb_own_reset, of_four_bad_places_becomes_their_errors) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10 && cbw.cdb[4] == 0 && cbw.cdb[5] < 108) a.status = 2;
    };
    dma_block block;
    for (u32 i = 0; i < 24; ++i) {
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(block.move(*s.current, block_command::read, 1000)) << "others are read";
      EXPECT_FALSE(block.move(*s.current, block_command::read, 100 + i % 4 * 2));
      sleep_for(1_ms);
    }
    EXPECT_EQ(s.departures, 12u);
    s.finish();
  });
}

// One ILLEGAL REQUEST while a disk is examined, after its plug was ended by a reset of its own.
TEST(usb_own_reset, a_question_that_is_refused_behind_it_ends_no_disk) {
  for (const u8 opcode : {test_unit_ready, read_capacity, inquiry})
    run(1, [=] {
      fake_stick stick;
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      stick.disk.failures.assign(1, {6, 0x29, 0});
      stick.disk.fail_at(opcode, 1, {5, 0x24, 0});
      dma_block block;
      static_cast<void>(block.move(*s.current, block_command::write, 8));
      sleep_for(1_s);
      EXPECT_TRUE(s.await_arrival()) << u32{opcode};
      EXPECT_FALSE(s.ended) << u32{opcode};
      s.finish();
    });
}

}  // namespace
}  // namespace usb::storage
