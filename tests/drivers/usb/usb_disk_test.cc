// What a disk does after failures (scsi.h, usb_disk.h), and how it describes itself.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "hal/clock.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"
#include "tests/sim/irq.h"

namespace usb::storage {
namespace {

using namespace sim;

TEST(usb_disk, says_what_was_plugged_in) {
  with_disk(
      [](fake_stick& stick) {
        stick.disk.failures.push_back({6, 0x29, 0});
      },  // power-on
      [](served_stick&, block_device& disk) {
        EXPECT_EQ(disk.identity.sectors, 2048u);
        EXPECT_STREQ(disk.identity.vendor.data(), "SIM");
        EXPECT_STREQ(disk.identity.serial.data(), "FAKE1");
        EXPECT_EQ(disk.identity.vendor_id, 0x46F4);
        EXPECT_EQ(disk.max_sectors, 2048u);
        EXPECT_TRUE(disk.removable);
        EXPECT_FALSE(disk.write_protected);
      });
}

TEST(usb_disk, reads_back_what_it_wrote_and_flushes) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    block.fill(0x5A);
    EXPECT_TRUE(block.move(disk, block_command::write, 100));
    EXPECT_EQ(s.stick.storage.newest(100)[0], byte{0x5A});
    EXPECT_TRUE(disk.flush());
    EXPECT_EQ(s.stick.count(0x35), 1u);
    block.fill(0);
    EXPECT_TRUE(block.move(disk, block_command::read, 100));
    EXPECT_EQ(block.head.b_data[1023], byte{0x5A});
    std::set<u32> tags(s.stick.tags.begin(), s.stick.tags.end());
    EXPECT_EQ(tags.size(), s.stick.tags.size()) << "a tag was used twice";
  });
}

TEST(usb_disk, joins_neighbours_in_memory) {
  run(1, [] {
    dma_buffer memory = *dma_buffer::allocate(8192, 4096);
    std::array<buffer_head, 4> heads;
    request r;
    for (u32 i : {0u, 1u, 2u, 3u}) {
      heads[i].b_data = memory.bytes().data() + (i < 3 ? i : 7) * BLOCK_SIZE;
      r.buffers.push_back(heads[i]);
    }
    segment_list list;
    const auto segments = list_segments(r, list);
    ASSERT_EQ(segments.size(), 2u);
    EXPECT_EQ(segments[0].length, 3 * BLOCK_SIZE);
    EXPECT_EQ(segments[1].address, memory.address() + 7 * BLOCK_SIZE);
    while (r.buffers.pop_front()) {
    }
  });
}

// The block layer counts the same pieces as the controller gets.
TEST(usb_disk, has_as_many_pieces_as_the_block_layer_counts) {
  sim::for_each_seed(20, [](u64 seed) {
    sim::run(seed, [] {
      manual_disk disk;
      disk.max_sectors = max_sectors_super_speed;
      disk.max_pieces = max_transfer_pieces;
      disk.identity.sectors = 8192;
      const dma_buffer memory = *dma_buffer::allocate(4096 * BLOCK_SIZE, DMA_BOUNDARY);
      std::vector<buffer_head> heads(3000);
      u32 place = 0;
      for (u32 i = 0; i < heads.size(); ++i) {
        place = sim::random_chance(3) ? static_cast<u32>(sim::random_below(4096)) : place + 1;
        heads[i].b_data = memory.bytes().data() + place % 4096 * BLOCK_SIZE;
        disk.submit(block_command::read, lba{i * SECTORS_PER_BLOCK}, heads[i]);
      }
      segment_list list;
      while (request* r = disk.next_request()) {
        EXPECT_EQ(count_pieces(list_segments(*r, list)), r->nr_pieces);
        EXPECT_LE(r->nr_pieces, max_transfer_pieces);
        disk.end_request(*r, {});
      }
    });
  });
}

TEST(usb_disk, short_data_with_a_good_status_is_no_success) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] == read_10) answer.data.resize(512);
      if (cbw.cdb[0] == write_10) answer.residue = 512;
    };
    const u32 reads = s.stick.count(read_10), writes = s.stick.count(write_10);
    dma_block block;
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    EXPECT_FALSE(block.move(disk, block_command::write, 8));
    EXPECT_EQ(s.stick.count(read_10) - reads, 2u) << "once more";
    EXPECT_EQ(s.stick.count(write_10) - writes, 2u) << "once more";
  });
}

TEST(usb_disk, a_residue_with_a_good_status_is_no_success) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] == read_10) answer.residue = SECTOR_SIZE;
    };
    dma_block block;
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
  });
}

// A success of a part: the command is sent once more.
TEST(usb_disk, moves_everything_when_only_a_part_was_moved) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    bool once = true;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      const bool moves = cbw.cdb[0] == read_10 || cbw.cdb[0] == write_10;
      if (!moves || !std::exchange(once, false)) return;
      answer.residue = SECTOR_SIZE;
      if (cbw.cdb[0] == read_10) answer.data.resize(SECTOR_SIZE);
    };
    dma_block block;
    block.fill(0x5C);
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_EQ(s.stick.count(write_10), 2u);
    once = true;
    block.fill(0);
    const u32 before = s.stick.count(read_10);
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(s.stick.count(read_10) - before, 2u);
    EXPECT_EQ(block.head.b_data[1023], byte{0x5C});
  });
}

// The command has failed, though the REQUEST SENSE after it succeeds.
TEST(usb_disk, a_command_that_is_refused_has_failed) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.disk.failures.push_back({5, 0x24, 0});
    EXPECT_FALSE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
  });
}

// A device that was reset by itself may have lost its write cache: a new plug begins, and the
// content is verified.
TEST(usb_disk, a_reset_or_a_changed_medium_begins_a_new_plug) {
  for (const u8 asc : {u8{0x29}, u8{0x28}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      const attach_epoch epoch = disk.epoch;
      s.stick.disk.failures.push_back({6, asc, 0});
      EXPECT_EQ(disk.flush().error(), error::enodev);
      EXPECT_EQ(s.departures, 1u);
      block_device* again = s.await_arrival();
      ASSERT_TRUE(again);
      EXPECT_NE(again->epoch, epoch);
      dma_block block;
      EXPECT_TRUE(block.move(*again, block_command::read, 0));
    });
}

// 06/2A/09: the size has changed. Other parameters (06/2A) do not concern the medium.
TEST(usb_disk, of_another_size_is_examined_again) {
  for (const bool takes_media : {false, true})
    with_disk([=](fake_stick& stick) { stick.disk.removable_medium = takes_media; },
              [](served_stick& s, block_device& disk) {
                s.stick.disk.claimed_last_lba = 1023;
                s.stick.disk.failures.push_back({6, 0x2A, 0x09});
                dma_block block;
                EXPECT_FALSE(block.move(disk, block_command::read, 8));
                block_device* const again = s.await_arrival();
                ASSERT_TRUE(again);
                EXPECT_EQ(again->identity.sectors, 1024u);
                EXPECT_EQ(s.departures, 1u);
              });
}

// A device that has a unit attention for every use ends each plug as soon as it begins. It is
// examined less and less often; a plug that lasts ends that.
TEST(usb_disk, endless_unit_attention_is_examined_less_and_less_often) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    const auto end_a_plug = [&] {
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      dma_block block;
      stick.disk.failures.push_back({6, 0x29, 0});
      EXPECT_FALSE(block.move(*disk, block_command::read, 8));
    };
    const auto pause_after = [&](duration life) {
      static_cast<void>(s.await_arrival());
      sleep_for(life);
      end_a_plug();
      const instant ended = now();
      EXPECT_TRUE(s.await_arrival());
      return (now() - ended).milliseconds();
    };
    for (const i64 least : {100, 200, 400, 800, 1600, 3200, 6400, 12800, 12800}) {
      const i64 pause = pause_after(0_s);
      EXPECT_GE(pause, least);
      EXPECT_LT(pause, least + 50);
    }
    EXPECT_LT(pause_after(10_s), 50) << "it was of use for some time";
    EXPECT_GE(pause_after(9900_ms), 100);
    EXPECT_LT(pause_after(11_s), 50);
    end_a_plug();
    const instant pulled = now();
    s.finish();
    EXPECT_LT((now() - pulled).milliseconds(), 1) << "a pull ends the pause";
  });
}

TEST(usb_disk, a_pull_ends_the_pause_of_a_disk_that_becomes_ready) {
  run(1, [] {
    fake_stick stick;
    for (int i = 0; i < 20; ++i) stick.disk.failures.push_back({2, 0x04, 1});
    served_stick s(stick);
    sleep_for(250_ms);
    const instant pulled = now();
    s.finish();
    EXPECT_LT((now() - pulled).milliseconds(), 1);
  });
}

// The last moment at which an interrupt can tell of a pull is the one before the mask.
TEST(usb_disk, a_pull_before_its_mask_does_not_leave_it_asleep) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    before_each_mask([&](const void*) {
      if (!stick.gone()) stick.pull();
    });
    dma_block block;
    EXPECT_TRUE(block.move(*disk, block_command::read, 8));  // then it has nothing to do
    sleep_for(1_s);
    EXPECT_TRUE(s.ended);
    before_each_mask({});
    s.finish();
  });
}

TEST(usb_disk, notices_a_card_that_is_taken_out_and_put_in) {
  with_disk([](fake_stick& stick) { stick.disk.removable_medium = true; },
            [](served_stick& s, block_device&) {
              s.stick.disk.never_succeeds[0x00] = {2, 0x3A, 0};
              sleep_for(3_s);
              EXPECT_EQ(s.departures, 1u);
              EXPECT_FALSE(s.current);
              s.stick.disk.never_succeeds.clear();
              EXPECT_TRUE(s.await_arrival());
            });
}

// Linux takes the same two answers for it. The device is not asked again.
TEST(usb_disk, a_device_without_synchronize_cache_writes_through) {
  for (const u8 asc : {u8{0x20}, u8{0x24}})
    with_disk(
        [&](fake_stick& stick) {
          stick.disk.never_succeeds[synchronize] = {5, asc, 0};
        },
        [](served_stick& s, block_device& disk) {
          EXPECT_TRUE(disk.flush());
          EXPECT_TRUE(said("usb 0-1: no SYNCHRONIZE CACHE; taken to write through, though"));
          EXPECT_TRUE(disk.flush());
          EXPECT_EQ(s.stick.count(synchronize), 1u);
          EXPECT_EQ(disk.caches_lost(), 0u);
        });
}

// Row 4: a loss was seen up to 0.7 s after the status. A device that tells that it has no cache is
// believed. The second flush finds that the last write is old enough.
TEST(usb_disk, a_device_without_synchronize_cache_has_a_second_for_each_write) {
  for (const bool tells_none : {false, true})
    with_disk(
        [=](fake_stick& stick) {
          stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
          stick.disk.tells_write_cache = !tells_none;
        },
        [=](served_stick&, block_device& disk) {
          const i64 second = tells_none ? 0 : 1000;
          dma_block block;
          for (u32 i = 0; i < 3; ++i) {
            EXPECT_TRUE(block.move(disk, block_command::write, 8));
            const instant written = now();
            EXPECT_TRUE(disk.flush());
            EXPECT_GE((now() - written).milliseconds(), second);
            EXPECT_LE((now() - written).milliseconds(), second + 10);
            const instant flushed = now();
            EXPECT_TRUE(disk.flush());
            EXPECT_LE((now() - flushed).milliseconds(), 10) << "it is durable already";
          }
        });
}

// The pull ends the wait at once.
TEST(usb_disk, a_device_without_synchronize_cache_is_pulled_while_a_write_settles) {
  run(1, [] {
    fake_stick stick;
    stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
    served_stick s(stick);
    block_device* const disk = s.await_arrival();
    ASSERT_TRUE(disk);
    const fiber flushing = spawn("flush", [=] { EXPECT_EQ(disk->flush(), fail(error::enodev)); });
    sleep_for(500_ms);
    const instant pulled = now();
    s.finish();
    EXPECT_LT((now() - pulled).milliseconds(), 10);
    flushing.join();
  });
}

// A device that has flushed before knows the command: its refusal proves nothing about the cache.
TEST(usb_disk, a_refusal_after_a_flush_is_a_failed_flush) {
  for (const u8 asc : {u8{0x20}, u8{0x24}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      EXPECT_TRUE(disk.flush());
      s.stick.disk.never_succeeds[synchronize] = {5, asc, 0};
      for (u32 i = 1; i <= 3; ++i) {
        EXPECT_EQ(disk.flush().error(), error::eio);
        EXPECT_EQ(disk.caches_lost(), i);
        EXPECT_EQ(s.stick.count(synchronize), 1 + i) << "it is asked each time";
      }
      s.stick.disk.never_succeeds.clear();
      EXPECT_TRUE(disk.flush());
    });
}

TEST(usb_disk, a_failing_flush_is_an_error) {
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[synchronize] = {4, 0x44, 0};
      },
      [](served_stick&, block_device& disk) { EXPECT_EQ(disk.flush().error(), error::eio); });
}

TEST(usb_disk, tells_write_protection) {
  with_disk([](fake_stick& stick) { stick.storage.write_protected = true; },
            [](served_stick&, block_device& disk) { EXPECT_TRUE(disk.write_protected); });
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[write_10] = {7, 0x27, 0};
      },
      [](served_stick&, block_device& disk) {
        dma_block block;
        EXPECT_EQ(block.move(disk, block_command::write, 0).error(), error::erofs);
      });
}

// A device that starts slowly is asked again and again, but not for ever.
TEST(usb_disk, waits_for_a_device_that_is_becoming_ready) {
  constexpr scsi_target::sense becoming_ready{2, 0x04, 1};
  with_disk([&](fake_stick& stick) { stick.disk.failures.assign(100, becoming_ready); },
            [](served_stick&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, 2048u); });
  run(1, [&] {
    fake_stick stick;
    stick.disk.never_succeeds[0x00] = stick.disk.never_succeeds[0x1B] = becoming_ready;
    served_stick s(stick);
    EXPECT_FALSE(s.await_arrival());
    EXPECT_TRUE(said("not usable"));
    s.finish();
  });
}

TEST(usb_disk, corrects_a_capacity_that_counts_one_too_many) {
  with_disk([](fake_stick& stick) { stick.disk.claimed_last_lba = 2048; },
            [](served_stick&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, 2048u); });
}

TEST(usb_disk, refuses_what_it_cannot_use) {
  const std::vector<std::function<void(fake_stick&)>> ways{
      [](fake_stick& stick) { stick.disk.block_size = 4096; },
      [](fake_stick& stick) { stick.disk.claimed_last_lba = 0; },
      [](fake_stick& stick) {
        stick.disk.never_succeeds[0x25] = {3, 0x11, 0};
      },
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == 0x12) answer.data[0] = byte{5};  // a CD drive
        };
      },
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == 0x12) answer.data.resize(4);
        };
      }};
  for (const auto& prepare : ways)
    run(1, [&] {
      fake_stick stick;
      prepare(stick);
      served_stick s(stick);
      EXPECT_FALSE(s.await_arrival());
      s.finish();
    });
}

// The card is exchanged for a smaller one while the reader is made ready: no disk arrives that is
// one half of each.
TEST(usb_disk, a_card_exchanged_while_it_is_examined_is_examined_again) {
  for (const u8 during : {mode_sense, read_10})
    run(1, [&] {
      fake_stick stick;
      stick.disk.removable_medium = true;
      stick.disk.fail_at(during, 1, {6, 0x28, 0});
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer&) {
        if (cbw.cdb[0] == during) stick.storage.identity.sectors = 1024;
      };
      served_stick s(stick);
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      EXPECT_EQ(disk->identity.sectors, 1024u);
      s.finish();
    });
}

// A card that cannot be used is exchanged for one that can: at once, or with a time between them.
TEST(usb_disk, a_card_of_no_use_is_exchanged_for_another_one) {
  constexpr u8 read_capacity = 0x25;
  for (const bool slowly : {false, true})
    run(1, [&] {
      fake_stick stick;
      stick.disk.removable_medium = true;
      stick.disk.never_succeeds[read_capacity] = {3, 0x11, 0};
      served_stick s(stick);
      sleep_for(5_s);
      EXPECT_EQ(s.arrivals, 0u);
      stick.disk.never_succeeds.clear();
      if (slowly) {
        stick.disk.never_succeeds[test_unit_ready] = {2, 0x3A, 0};
        sleep_for(5_s);
        stick.disk.never_succeeds.clear();
      }
      stick.disk.failures.push_back({6, 0x28, 0});
      EXPECT_TRUE(s.await_arrival());
      s.finish();
    });
}

// One that is refused for what it is, is not examined again until its exchange is told.
TEST(usb_disk, a_card_that_is_refused_is_exchanged_for_another_one) {
  run(1, [&] {
    fake_stick stick;
    take_media(stick);
    stick.disk.block_size = 4096;
    served_stick s(stick);
    sleep_for(30_s);
    EXPECT_EQ(s.arrivals, 0u);
    stick.disk.block_size = SECTOR_SIZE;
    stick.disk.failures.push_back({6, 0x28, 0});
    EXPECT_TRUE(s.await_arrival());
    s.finish();
  });
}

// Each of two cards of no use is told of, also when the first one was missed by an examination.
TEST(usb_disk, a_second_card_of_no_use_is_told_of_as_well) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    stick.disk.never_succeeds[read_capacity] = {4, 0x44, 0};
    served_stick s(stick);
    sleep_for(1_s);
    stick.disk.never_succeeds[test_unit_ready] = {2, 0x3A, 0};
    sleep_for(30_s);
    stick.disk.never_succeeds.erase(test_unit_ready);
    sleep_for(10_s);
    const std::string told = "usb 0-1: the disk is not usable (error 5)\n";
    const std::string& console = here().console();
    const size_t first = console.find(told);
    ASSERT_NE(first, std::string::npos);
    EXPECT_NE(console.find(told, first + 1), std::string::npos);
    s.finish();
  });
}

TEST(usb_disk, a_card_taken_out_while_it_is_examined_does_not_arrive) {
  run(1, [] {
    fake_stick stick;
    stick.disk.removable_medium = true;
    stick.disk.fail_at(read_10, 1, {2, 0x3A, 0});
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer&) {
      if (cbw.cdb[0] == read_10) stick.disk.never_succeeds[test_unit_ready] = {2, 0x3A, 0};
    };
    served_stick s(stick);
    sleep_for(10_s);
    EXPECT_EQ(s.arrivals, 0u);
    s.finish();
  });
}

}  // namespace
}  // namespace usb::storage
