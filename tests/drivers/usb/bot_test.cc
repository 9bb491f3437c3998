// Bulk-Only Transport over a device that misbehaves (bot.h).
#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

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

// The ways in which a transport can fail once and go on.
using meddling = void (*)(fake_stick::answer&);
struct stumble {
  const char* name;
  meddling meddle;
  u32 resets;  // the number of port resets that follow
  u8 opcode;
};

class usb_bot_stumble : public testing::TestWithParam<stumble> {};

TEST_P(usb_bot_stumble, is_overcome) {
  with_disk({}, [](served_stick& s, block_device& disk) {
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
    EXPECT_EQ(disk.flush().has_value(), how.opcode != synchronize);
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(disk.flush());
    block.fill(0);
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(block.head.b_data[0], byte{0x77});
    EXPECT_TRUE(stumbled);
    EXPECT_EQ(s.stick.resets, how.resets);
    const bool without_reason = std::string_view(how.name).contains("failed");
    EXPECT_EQ(disk.caches_lost() > 0,
              how.resets > 0 || how.opcode == synchronize || without_reason);
    EXPECT_EQ(s.departures, 0u);
  });
}

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

// The host has no room for a transfer: the device is neither reset nor given up for that.
TEST(usb_bot, does_not_blame_the_device_for_want_of_room) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.has_room = false;
    EXPECT_EQ(block.move(disk, block_command::write, 8).error(), error::enomem);
    EXPECT_EQ(disk.flush().error(), error::enomem);
    s.stick.has_room = true;
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(disk.flush());
    EXPECT_EQ(s.stick.resets, 0u);
    EXPECT_EQ(s.departures, 0u);
  });
}

TEST(usb_bot, sends_no_command_whose_data_have_no_room) {
  run(1, [] {
    fake_stick stick;
    bulk_only transport(stick, fake_stick::interface());
    ASSERT_TRUE(transport.has_endpoints());
    const dma_buffer memory = *dma_buffer::allocate(BLOCK_SIZE, BLOCK_SIZE);
    const std::vector<dma_segment> segments(max_transfer_pieces + 1,
                                            dma_segment{memory.address(), SECTOR_SIZE});
    for (const bool write : {false, true}) {
      const u32 sectors = static_cast<u32>(segments.size());
      EXPECT_EQ(transport.execute(read_write_10(write, lba{}, sectors, segments)).error(),
                error::enomem);
      EXPECT_TRUE(transport.execute(
          read_write_10(write, lba{}, sectors - 1, std::span(segments).first(sectors - 1))));
    }
    EXPECT_EQ(stick.opcodes, (std::vector<u8>{read_10, write_10}));
    EXPECT_EQ(stick.resets, 0u);
  });
}

// --- a status in the place of data ---

TEST(usb_bot, takes_a_status_in_the_place_of_small_data) {
  with_disk(
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] != mode_sense) return;
          answer.status = 1;
          answer.status_as_data = true;
        };
      },
      [](served_stick& s, block_device& disk) {
        EXPECT_FALSE(disk.write_protected);
        EXPECT_EQ(s.stick.resets, 0u);
        EXPECT_LT((now() - instant{}).milliseconds(), 1000) << "it is seen at once";
      });
}

// Of sectors, too: their first bytes are the status. It is believed like any other status.
TEST(usb_bot, takes_a_status_in_the_place_of_sectors) {
  struct row {
    u8 status;
    u32 wrong;  // added to the tag
    u32 resets;
    bool at_once;
  };
  for (const row& r : {row{1, 0, 0, true},   // failed, and tried again
                       row{0, 0, 0, true},   // nothing was read: it is asked for again
                       row{2, 0, 1, true},   // phase error
                       row{3, 0, 1, false},  // no status, but data
                       row{1, 1, 1, false}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      bool once = true;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        if (cbw.cdb[0] != read_10 || !std::exchange(once, false)) return;
        answer.status_as_data = true;
        answer.status = r.status;
        answer.tag += r.wrong;
      };
      dma_block block;
      const instant begun = now();
      EXPECT_TRUE(block.move(disk, block_command::read, 8)) << int{r.status};
      EXPECT_EQ((now() - begun).milliseconds() < 1000, r.at_once) << int{r.status};
      EXPECT_EQ(s.stick.resets, r.resets) << int{r.status};
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_EQ(s.departures, 0u);
    });
}

// --- residues that mean nothing ---

// A device that succeeds has at least 5 bytes of INQUIRY data and exactly 8 of READ CAPACITY. One
// that sends them and tells a residue that leaves less tells wrong residues.
TEST(usb_bot, learns_that_residues_are_bogus) {
  constexpr u8 inquiry = 0x12, read_capacity = 0x25;
  struct row {
    const char* what;
    u8 told_by;  // the command with this residue; others have that of `later`
    u32 residue;
    size_t bytes;  // that come
    u8 status;
    bool learnt;
  };
  for (const row& r : {row{"all of an INQUIRY", inquiry, 36, 36, 0, true},
                       row{"more than that", inquiry, 5000, 36, 0, true},
                       row{"all but four bytes", inquiry, 32, 36, 0, true},
                       row{"five bytes, filled up", inquiry, 31, 36, 0, false},
                       row{"five bytes", inquiry, 31, 5, 0, false},
                       row{"a part of the capacity", read_capacity, 1, 8, 0, true},
                       row{"seven bytes", read_capacity, 1, 7, 0, false},
                       row{"a failure", read_capacity, 8, 8, 1, false}})
    run(1, [&] {
      fake_stick stick;
      bool once = false;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        if (cbw.cdb[0] != r.told_by || std::exchange(once, true)) return;
        answer.residue = r.residue;
        answer.data.resize(r.bytes);
        answer.status = r.status;
      };
      served_stick s(stick);
      block_device* disk = s.await_arrival();
      EXPECT_EQ(said("its residues are ignored\n"), r.learnt) << r.what;
      if (disk) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == read_10 || cbw.cdb[0] == write_10) answer.residue = 1;
        };
        dma_block block;
        for (const block_command cmd : {block_command::read, block_command::write})
          EXPECT_EQ(block.move(*disk, cmd, 8).has_value(), r.learnt) << r.what;
        EXPECT_EQ(stick.resets, 0u);
      }
      s.finish();
    });
}

// A stick with a residue of the full length in every status, failures included.
TEST(usb_bot, works_without_any_right_residue) {
  for (const u32 more : {0u, 1u})
    with_disk(
        [&](fake_stick& stick) {
          stick.disk.failures.push_back({6, 0x29, 0});
          stick.meddle = [=](const command_block_wrapper& cbw, fake_stick::answer& answer) {
            answer.residue = cbw.data_length + more;
          };
        },
        [](served_stick& s, block_device& disk) {
          EXPECT_EQ(disk.identity.sectors, 2048u);
          dma_block block;
          block.fill(0x77);
          s.stick.disk.failures.push_back({3, 0x0C, 0});
          EXPECT_TRUE(block.move(disk, block_command::write, 8));
          block.fill(0);
          EXPECT_TRUE(block.move(disk, block_command::read, 8));
          EXPECT_EQ(block.head.b_data[1023], byte{0x77});
          EXPECT_TRUE(disk.flush());
          EXPECT_EQ(disk.caches_lost(), 0u);
        });
}

// What the controller tells is still believed: data that have not come are no success.
TEST(usb_bot, short_data_of_a_stick_with_bogus_residues_are_no_success) {
  with_disk(
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          answer.residue = cbw.data_length;
        };
      },
      [](served_stick& s, block_device& disk) {
        s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] == read_10) answer.data.resize(SECTOR_SIZE);
          answer.residue = cbw.data_length;
        };
        dma_block block;
        EXPECT_FALSE(block.move(disk, block_command::read, 8));
      });
}

// --- one transfer at a time ---

// What makes the driver wait for each transfer before it submits the next one, for the rest of the
// plug: any failure of the transport, a STALL in place of the status behind data OUT, residues that
// mean nothing.
TEST(usb_bot, is_careful_with_a_stick_that_has_stumbled) {
  using way = void (*)(fake_stick::answer&);
  struct row {
    const char* what;
    u8 opcode;
    way how;
    bool careful;
  };
  const way none = [](fake_stick::answer&) {};
  const way phase_error = [](fake_stick::answer& a) { a.status = 2; };
  const way failed = [](fake_stick::answer& a) { a.status = 1; };
  const way stall = [](fake_stick::answer& a) { a.stall_status = true; };
  const way empty = [](fake_stick::answer& a) { a.empty_status = true; };
  const way silent = [](fake_stick::answer& a) { a.silent = true; };
  const way stalled_data = [](fake_stick::answer& a) { a.stall_data = true, a.status = 1; };
  for (const row& r :
       {row{"nothing", 0xFF, none, false}, row{"phase error", write_10, phase_error, true},
        row{"no status", write_10, silent, true}, row{"stalled status", write_10, stall, true},
        row{"phase error of a read", read_10, phase_error, true},
        row{"phase error without data", synchronize, phase_error, true},
        row{"stalled status of a read", read_10, stall, false},
        row{"stalled status without data", synchronize, stall, false},
        row{"empty status", write_10, empty, false}, row{"failure", write_10, failed, false},
        row{"stalled data", write_10, stalled_data, false}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      bool once = true;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
        if (cbw.cdb[0] == r.opcode && std::exchange(once, false)) r.how(answer);
      };
      dma_block block;
      const auto use = [&] {
        static_cast<void>(block.move(disk, block_command::write, 8));
        static_cast<void>(block.move(disk, block_command::read, 8));
        static_cast<void>(disk.flush());
      };
      use();
      const u32 before = s.stick.overlaps;
      EXPECT_GT(before, 0u);
      use();
      EXPECT_EQ(s.stick.overlaps == before, r.careful) << r.what;
      EXPECT_EQ(said("one transfer at a time\n"), r.careful) << r.what;
      s.stick.pull();
    });
}

// A device that does not take the wrapper gets nothing behind it.
TEST(usb_bot, sends_nothing_behind_a_wrapper_that_was_not_taken) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    bool once = true;
    s.stick.meddle = [&](const command_block_wrapper&, fake_stick::answer& answer) {
      if (std::exchange(once, false)) answer.status = 2;
    };
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(said("one transfer at a time\n"));
    for (const block_command cmd : {block_command::write, block_command::read}) {
      const u32 transfers = s.stick.transfers, resets = s.stick.resets;
      s.stick.stall_wrappers = 2;
      EXPECT_EQ(block.move(disk, cmd, 8).error(), error::eio);
      EXPECT_EQ(s.stick.transfers_at_stall - transfers, 2u) << "two tries";
      EXPECT_EQ(s.stick.resets - resets, 2u);
      EXPECT_TRUE(block.move(disk, cmd, 8));
    }
  });
}

}  // namespace
}  // namespace usb::storage
