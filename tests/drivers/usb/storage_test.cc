// Mass storage over a device that misbehaves: wrappers and statuses (bot.h), what failures mean
// (scsi.h), and a medium's coming and going (usb_disk.h).
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "drivers/block/media_event.h"
#include "drivers/usb/storage/usb_disk.h"
#include "tests/drivers/usb/fake_stick.h"
#include "tests/sim/blocks.h"
#include "tests/sim/scheduler.h"

namespace usb::storage {
namespace {

using sim::fake_stick;
using sim::test_block;

// --- parsing ---

TEST(usb_bot, believes_a_status_only_if_everything_fits) {
  command_status_wrapper csw;
  csw.signature = command_status_wrapper::good_signature;
  csw.tag = 7;
  EXPECT_TRUE(is_valid_status(csw, 13, 7));
  EXPECT_FALSE(is_valid_status(csw, 12, 7));
  EXPECT_FALSE(is_valid_status(csw, 13, 8));
  csw.status = 3;
  EXPECT_FALSE(is_valid_status(csw, 13, 7));
  csw.status = 2;
  EXPECT_TRUE(is_valid_status(csw, 13, 7));
  csw.signature = 0x53425356;
  EXPECT_FALSE(is_valid_status(csw, 13, 7));
}

TEST(usb_scsi, reads_both_formats_of_sense) {
  std::array<byte, 18> fixed{};
  fixed[0] = byte{0xF0};
  fixed[2] = byte{0x26};
  fixed[12] = byte{0x29};
  fixed[13] = byte{1};
  EXPECT_EQ(parse_sense(fixed).key, 6);
  EXPECT_EQ(parse_sense(fixed).asc, 0x29);
  EXPECT_EQ(parse_sense(fixed).ascq, 1);
  const std::array<byte, 4> by_descriptor{byte{0x72}, byte{2}, byte{0x3A}, byte{0}};
  EXPECT_EQ(parse_sense(by_descriptor).key, 2);
  EXPECT_EQ(parse_sense(by_descriptor).asc, 0x3A);
  EXPECT_EQ(parse_sense({}).key, 0);
  EXPECT_EQ(parse_sense(std::span(fixed).first(3)).asc, 0);
}

TEST(usb_scsi, judges_what_a_failure_means) {
  EXPECT_EQ(judge({6, 0x29, 0}), verdict::reset);
  EXPECT_EQ(judge({6, 0x28, 0}), verdict::medium_changed);
  EXPECT_EQ(judge({6, 0x3A, 0}), verdict::no_medium);
  EXPECT_EQ(judge({6, 0x2A, 0}), verdict::retry);
  EXPECT_EQ(judge({2, 0x3A, 0}), verdict::no_medium);
  EXPECT_EQ(judge({2, 0x04, 1}), verdict::becoming_ready);
  EXPECT_EQ(judge({5, 0x20, 0}), verdict::not_supported);
  EXPECT_EQ(judge({5, 0x21, 0}), verdict::out_of_range);
  EXPECT_EQ(judge({5, 0x24, 0}), verdict::failed);
  EXPECT_EQ(judge({7, 0x27, 0}), verdict::write_protected);
  EXPECT_EQ(judge({0x0B, 0, 6}), verdict::retry);
}

TEST(usb_scsi, reads_the_write_cache_behind_any_header) {
  disk_facts facts;
  const std::array<byte, 8> plain{byte{7}, {}, {}, {}, byte{0x08}, byte{0x12}, byte{0}, {}};
  EXPECT_TRUE(parse_mode_sense(plain, facts));
  EXPECT_FALSE(facts.write_cache);
  EXPECT_FALSE(facts.write_protected);
  std::array<byte, 16> with_descriptor{};
  with_descriptor[2] = byte{0x80};
  with_descriptor[3] = byte{8};
  with_descriptor[12] = byte{0x88};
  with_descriptor[14] = byte{4};
  EXPECT_TRUE(parse_mode_sense(with_descriptor, facts));
  EXPECT_TRUE(facts.write_cache);
  EXPECT_TRUE(facts.write_protected);
  with_descriptor[3] = byte{255};  // the page is past the end
  facts.write_cache = true;
  EXPECT_TRUE(parse_mode_sense(with_descriptor, facts));
  EXPECT_TRUE(facts.write_cache);
  EXPECT_FALSE(parse_mode_sense(std::span(plain).first(3), facts));
}

TEST(usb_scsi, puts_addresses_in_big_endian) {
  const scsi_command c = read_write_10(true, lba{0x01020304}, 0x0506, {});
  EXPECT_EQ(c.cdb, (std::array<u8, 16>{0x2A, 0, 1, 2, 3, 4, 0, 5, 6}));
  EXPECT_EQ(c.cdb_length, 10);
  EXPECT_EQ(c.length, 0x0506u * 512);
}

// --- a stick that is served ---

// Those who listen to media_event in these tests.
struct listener {
  std::vector<block_device*> arrivals;
  u32 departures = 0;
  block_device* current = nullptr;
  wait_queue changed;
};
listener* listening = nullptr;

// Serves a fake stick in a task of its own and tells what is heard of it.
struct served {
  explicit served(fake_stick& device) : stick(device) {
    listening = &heard;
    set_media_listener({[](block_device& d) {
                          listening->arrivals.push_back(&d);
                          listening->current = &d;
                          wake_up(listening->changed);
                        },
                        [](block_device&) {
                          ++listening->departures;
                          listening->current = nullptr;
                          wake_up(listening->changed);
                        }});
    task = std::make_unique<sim::fiber>(sim::spawn("stick", [this] {
      serve(stick, fake_stick::interface());
      ended = true;
      wake_up(heard.changed);
    }));
  }
  block_device* await_arrival() {
    const instant deadline = now() + 100_s;
    while (!heard.current && !ended && now() < deadline) sleep_on(heard.changed, deadline);
    return heard.current;
  }
  void finish() {
    stick.pull();
    task->join();
  }

  fake_stick& stick;
  listener heard;
  bool ended = false;
  std::unique_ptr<sim::fiber> task;
};

// Brings a stick up, runs the test on its disk, pulls it.
void with_disk(const std::function<void(fake_stick&)>& prepare,
               const std::function<void(served&, block_device&)>& test) {
  sim::run(1, [&] {
    fake_stick stick;
    if (prepare) prepare(stick);
    served s(stick);
    block_device* disk = s.await_arrival();
    if (disk) test(s, *disk);
    EXPECT_TRUE(disk);
    s.finish();
    EXPECT_EQ(s.heard.arrivals.size(), s.heard.departures);
  });
}

// Reads and writes through memory that the device can reach.
struct dma_block {
  dma_block() : memory(*dma_buffer::allocate(BLOCK_SIZE, BLOCK_SIZE)) {
    head.b_data = memory.bytes().data();
    head.b_count = 1;
  }
  result<void> move(block_device& disk, block_command cmd, u32 sector) {
    head.b_error.reset();
    head.b_uptodate = cmd == block_command::write;
    disk.submit(cmd, lba{sector}, head);
    wait_on_buffer(head);
    if (cmd == block_command::read) return head.b_uptodate ? result<void>{} : fail(error::eio);
    return head.b_error ? fail(*head.b_error) : result<void>{};
  }
  void fill(u8 value) { std::memset(head.b_data, value, BLOCK_SIZE); }
  dma_buffer memory;
  buffer_head head;
};

TEST(usb_disk, says_what_was_plugged_in) {
  with_disk(
      [](fake_stick& stick) {
        stick.failures.push_back({6, 0x29, 0});
      },  // power-on
      [](served&, block_device& disk) {
        EXPECT_EQ(disk.identity.sectors, 2048u);
        EXPECT_STREQ(disk.identity.vendor.data(), "FAKE");
        EXPECT_STREQ(disk.identity.serial.data(), "FAKE1");
        EXPECT_EQ(disk.identity.vendor_id, 0x46F4);
        EXPECT_EQ(disk.max_sectors, 2048u);
        EXPECT_TRUE(disk.removable);
        EXPECT_FALSE(disk.write_protected);
      });
}

TEST(usb_disk, reads_back_what_it_wrote_and_flushes) {
  with_disk({}, [](served& s, block_device& disk) {
    dma_block block;
    block.fill(0x5A);
    EXPECT_TRUE(block.move(disk, block_command::write, 100));
    EXPECT_EQ(s.stick.content[100 * SECTOR_SIZE], byte{0x5A});
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
  sim::run(1, [] {
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

// Each way in which a transport can stumble once and go on.
using meddling = void (*)(fake_stick::answer&);
struct stumble {
  const char* name;
  meddling meddle;
  u32 resets;  // how many port resets it takes
  u8 opcode;
};

class usb_bot_stumble : public testing::TestWithParam<stumble> {};

TEST_P(usb_bot_stumble, is_overcome) {
  with_disk({}, [](served& s, block_device& disk) {
    const stumble& how = GetParam();
    bool stumbled = false;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] != how.opcode || stumbled) return;
      stumbled = true;
      how.meddle(answer);
    };
    dma_block block;
    block.fill(0x77);
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(disk.flush());
    block.fill(0);
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(block.head.b_data[0], byte{0x77});
    EXPECT_TRUE(stumbled);
    EXPECT_EQ(s.stick.resets, how.resets);
    EXPECT_EQ(s.heard.departures, 0u);
  });
}

constexpr u8 read_10 = 0x28, write_10 = 0x2A, synchronize = 0x35;
INSTANTIATE_TEST_SUITE_P(
    all, usb_bot_stumble,
    testing::Values(
        stumble{"stalled_status", [](fake_stick::answer& a) { a.stall_status = true; }, 0,
                write_10},
        stumble{"empty_status", [](fake_stick::answer& a) { a.empty_status = true; }, 0, read_10},
        stumble{"wrong_tag", [](fake_stick::answer& a) { --a.tag; }, 1, write_10},
        stumble{"wrong_signature", [](fake_stick::answer& a) { a.signature = 1; }, 1, read_10},
        stumble{"phase_error", [](fake_stick::answer& a) { a.status = 2; }, 1, write_10},
        stumble{"no_status", [](fake_stick::answer& a) { a.silent = true; }, 1, synchronize},
        stumble{"no_data", [](fake_stick::answer& a) { a.data_without_end = true; }, 1, read_10},
        stumble{"data_not_taken", [](fake_stick::answer& a) { a.data_without_end = true; }, 1,
                write_10},
        stumble{"failed_flush", [](fake_stick::answer& a) { a.status = 1; }, 0, synchronize},
        stumble{"failed_read_with_data", [](fake_stick::answer& a) { a.status = 1; }, 0, read_10},
        stumble{"stalled_and_failed_read",
                [](fake_stick::answer& a) {
                  a.stall_data = true;
                  a.status = 1;
                },
                0, read_10},
        stumble{"stalled_and_failed_write",
                [](fake_stick::answer& a) {
                  a.stall_data = true;
                  a.status = 1;
                },
                0, write_10}),
    [](const auto& one) { return one.param.name; });

TEST(usb_bot, takes_a_status_in_the_place_of_small_data) {
  with_disk(
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] != 0x1A) return;
          answer.status = 1;
          answer.status_as_data = true;
        };
      },
      [](served& s, block_device& disk) {
        EXPECT_FALSE(disk.write_protected);
        EXPECT_EQ(s.stick.resets, 0u);
      });
}

TEST(usb_disk, short_data_with_a_good_status_is_no_success) {
  with_disk({}, [](served& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] == read_10) answer.data.resize(512);
      if (cbw.cdb[0] == write_10) answer.residue = 512;
    };
    dma_block block;
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    EXPECT_FALSE(block.move(disk, block_command::write, 8));
  });
}

TEST(usb_disk, a_residue_with_a_good_status_is_no_success) {
  with_disk({}, [](served& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] == read_10) answer.residue = SECTOR_SIZE;
    };
    dma_block block;
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
  });
}

// REQUEST SENSE succeeds, the command before it does not.
TEST(usb_disk, a_command_that_is_refused_has_failed) {
  with_disk({}, [](served& s, block_device& disk) {
    dma_block block;
    s.stick.failures.push_back({5, 0x24, 0});
    EXPECT_FALSE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
  });
}

// Whoever is told enodev may ask the device, and hears that it is gone.
TEST(usb_disk, is_gone_before_its_last_request_ends) {
  with_disk({}, [](served& s, block_device& disk) {
    static block_device* asked;
    static bool gone;
    asked = &disk;
    s.stick.meddle = [](const command_block_wrapper&, fake_stick::answer& answer) {
      answer.silent = true;
    };
    dma_block block;
    block.head.b_end_io = [](buffer_head&, bool, result<void>) { gone = asked->gone(); };
    const auto hand = sim::spawn("hand", [&] {
      sleep_for(100_ms);
      s.stick.pull();
    });
    static_cast<void>(block.move(disk, block_command::write, 8));
    hand.join();
    EXPECT_TRUE(gone);
  });
}

TEST(usb_disk, a_device_that_never_recovers_ends_the_plug) {
  sim::run(1, [] {
    fake_stick stick;
    served s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    stick.reset_outcome = error::eio;
    stick.meddle = [](const command_block_wrapper&, fake_stick::answer& answer) {
      answer.status = 2;
    };
    dma_block block;
    EXPECT_FALSE(block.move(*disk, block_command::read, 8));
    s.task->join();
    EXPECT_EQ(s.heard.departures, 1u);
    EXPECT_TRUE(stick.gone());
  });
}

// A reset of its own may have cost the write cache: a new plug, so that everything is verified.
TEST(usb_disk, a_reset_or_a_changed_medium_begins_a_new_plug) {
  for (const u8 asc : {u8{0x29}, u8{0x28}})
    with_disk({}, [&](served& s, block_device& disk) {
      const attach_epoch epoch = disk.epoch;
      s.stick.failures.push_back({6, asc, 0});
      EXPECT_EQ(disk.flush().error(), error::enodev);
      EXPECT_EQ(s.heard.departures, 1u);
      block_device* again = s.await_arrival();
      ASSERT_TRUE(again);
      EXPECT_NE(again->epoch, epoch);
      dma_block block;
      EXPECT_TRUE(block.move(*again, block_command::read, 0));
    });
}

TEST(usb_disk, notices_a_card_that_is_taken_out_and_put_in) {
  with_disk([](fake_stick& stick) { stick.removable_medium = true; },
            [](served& s, block_device&) {
              s.stick.never_succeeds[0x00] = {2, 0x3A, 0};
              sleep_for(3_s);
              EXPECT_EQ(s.heard.departures, 1u);
              EXPECT_FALSE(s.heard.current);
              s.stick.never_succeeds.clear();
              EXPECT_TRUE(s.await_arrival());
            });
}

TEST(usb_disk, a_device_without_synchronize_cache_writes_through) {
  with_disk(
      [](fake_stick& stick) {
        stick.never_succeeds[synchronize] = {5, 0x20, 0};
      },
      [](served& s, block_device& disk) {
        EXPECT_TRUE(disk.flush());
        EXPECT_TRUE(disk.flush());
        EXPECT_EQ(s.stick.count(synchronize), 1u);
      });
}

TEST(usb_disk, a_failing_flush_is_an_error) {
  with_disk(
      [](fake_stick& stick) {
        stick.never_succeeds[synchronize] = {4, 0x44, 0};
      },
      [](served&, block_device& disk) { EXPECT_EQ(disk.flush().error(), error::eio); });
}

TEST(usb_disk, tells_write_protection) {
  with_disk([](fake_stick& stick) { stick.mode_flags = 0x80; },
            [](served&, block_device& disk) { EXPECT_TRUE(disk.write_protected); });
  with_disk(
      [](fake_stick& stick) {
        stick.never_succeeds[write_10] = {7, 0x27, 0};
      },
      [](served&, block_device& disk) {
        dma_block block;
        EXPECT_EQ(block.move(disk, block_command::write, 0).error(), error::erofs);
      });
}

// One that takes its time to start is asked again and again, but not for ever.
TEST(usb_disk, waits_for_a_device_that_is_becoming_ready) {
  constexpr sense becoming_ready{2, 0x04, 1};
  with_disk([&](fake_stick& stick) { stick.failures.assign(100, becoming_ready); },
            [](served&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, 2048u); });
  sim::run(1, [&] {
    fake_stick stick;
    stick.never_succeeds[0x00] = stick.never_succeeds[0x1B] = becoming_ready;
    served s(stick);
    EXPECT_FALSE(s.await_arrival());
    EXPECT_TRUE(s.ended);
    s.finish();
  });
}

TEST(usb_disk, corrects_a_capacity_that_counts_one_too_many) {
  with_disk([](fake_stick& stick) { stick.claimed_last_lba = 2048; },
            [](served&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, 2048u); });
}

TEST(usb_disk, refuses_what_it_cannot_use) {
  const std::vector<std::function<void(fake_stick&)>> ways{
      [](fake_stick& stick) { stick.block_size = 4096; },
      [](fake_stick& stick) { stick.claimed_last_lba = 0xFFFF'FFFF; },
      [](fake_stick& stick) {
        stick.never_succeeds[0x25] = {3, 0x11, 0};
      },
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == 0x12) answer.data[0] = byte{5};  // a CD drive
        };
      },
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == 0x12) answer.data.resize(5);
        };
      }};
  for (const auto& prepare : ways)
    sim::run(1, [&] {
      fake_stick stick;
      prepare(stick);
      served s(stick);
      EXPECT_FALSE(s.await_arrival());
      s.finish();
    });
}

// Nothing waits for a device that has gone, whatever it was waiting for.
TEST(usb_disk, a_pull_ends_everything_at_once) {
  for (const u8 hangs_in : {read_10, write_10, synchronize})
    sim::run(1, [&] {
      fake_stick stick;
      served s(stick);
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        answer.silent = cbw.cdb[0] == hangs_in;
      };
      disk->hold();
      std::vector<sim::fiber> users;
      users.push_back(sim::spawn("flush", [&] {
        const result<void> flushed = disk->flush();
        EXPECT_TRUE(hangs_in != synchronize || flushed == fail(error::enodev));
      }));
      for (const block_command cmd : {block_command::read, block_command::write})
        for (u32 i = 0; i < 4; ++i)
          users.push_back(sim::spawn("user", [&, cmd, i] {
            dma_block block;
            static_cast<void>(block.move(*disk, cmd, i * 100));
          }));
      sleep_for(1_s);
      const instant pulled = now();
      stick.pull();
      for (const sim::fiber& user : users) user.join();
      EXPECT_LT((now() - pulled).milliseconds(), 1);
      EXPECT_TRUE(disk->gone());
      EXPECT_EQ(disk->flush().error(), error::enodev);
      EXPECT_GE(stick.releases, 1u) << "the port must be free although somebody holds the disk";
      disk->drop();
      s.task->join();
    });
}

}  // namespace
}  // namespace usb::storage
