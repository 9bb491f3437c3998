// What the driver makes of a disk's answers (scsi.h): every sense code, every number of failures.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "drivers/block/block_device.h"
#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

TEST(scsi_sense, every_code_has_its_meaning) {
  const std::map<std::pair<int, int>, verdict> known{
      {{0, 0x00}, verdict::unexplained},   {{6, 0x2A}, verdict::attention},
      {{6, 0x2F}, verdict::attention},     {{6, 0x5A}, verdict::attention},
      {{6, 0x5B}, verdict::attention},     {{6, 0x5C}, verdict::attention},
      {{6, 0x5D}, verdict::attention},     {{6, 0x5E}, verdict::attention},
      {{2, 0x3A}, verdict::no_medium},     {{2, 0x04}, verdict::becoming_ready},
      {{5, 0x20}, verdict::not_supported}, {{5, 0x21}, verdict::out_of_range},
      {{5, 0x24}, verdict::not_supported}, {{5, 0x25}, verdict::no_medium},
      {{6, 0x29}, verdict::reset},         {{6, 0x28}, verdict::medium_changed},
      {{6, 0x3A}, verdict::no_medium},     {{7, 0x27}, verdict::write_protected}};
  const std::map<int, verdict> of_key{{1, verdict::recovered},
                                      {3, verdict::bad_place},
                                      {5, verdict::failed},
                                      {6, verdict::other_attention},
                                      {7, verdict::failed}};
  for (int key = 0; key < 16; ++key)
    for (int asc = 0; asc < 256; ++asc) {
      const sense s{static_cast<u8>(key), static_cast<u8>(asc), 0};
      verdict expected = verdict::retry;
      if (const auto found = of_key.find(key); found != of_key.end()) expected = found->second;
      if (const auto found = known.find({key, asc}); found != known.end()) expected = found->second;
      EXPECT_EQ(judge(s), expected) << key << " " << asc;
      EXPECT_EQ(judge({s.key, s.asc, 0, true}), verdict::deferred);
    }
  for (int qualifier = 0; qualifier < 256; ++qualifier)
    EXPECT_EQ(judge({2, 0x04, static_cast<u8>(qualifier)}),
              qualifier == 2 ? verdict::needs_start : verdict::becoming_ready);
}

TEST(scsi_sense, is_read_from_where_each_format_has_it) {
  for (u32 code = 0; code < 256; ++code) {
    std::array<byte, 18> data{};
    for (u32 i = 1; i < data.size(); ++i) data[i] = static_cast<byte>(0xA0 + i);
    data[0] = static_cast<byte>(code);
    const sense s = parse_sense(data);
    const u32 response = code & 0x7F;
    const bool fixed = response == 0x70 || response == 0x71;
    const bool described = response == 0x72 || response == 0x73;
    EXPECT_EQ(s.key, fixed ? 2 : described ? 1 : 0) << code;
    EXPECT_EQ(s.asc, fixed ? 0xAC : described ? 0xA2 : 0) << code;
    EXPECT_EQ(s.ascq, fixed ? 0xAD : described ? 0xA3 : 0) << code;
    EXPECT_EQ(s.deferred, response == 0x71 || response == 0x73) << code;
  }
  std::array<byte, 14> data{};
  data.fill(byte{0x33});
  data[0] = byte{0x70};
  for (u32 length = 0; length <= data.size(); ++length) {
    const sense s = parse_sense(std::span(data).first(length));
    EXPECT_EQ(s.key, length > 2 ? 3 : 0) << length;
    EXPECT_EQ(s.asc, length > 12 ? 0x33 : 0) << length;
    EXPECT_EQ(s.ascq, length > 13 ? 0x33 : 0) << length;
  }
}

// Only as far as bytes have come: whatever stands behind them, and however long the device says
// that its data are.
TEST(scsi_sense, mode_pages_are_read_as_far_as_they_reach) {
  std::array<byte, 7> data{byte{255}, byte{0}, byte{0x80}, byte{0}, byte{0x08}, byte{1}, byte{0}};
  for (u32 length = 0; length <= data.size(); ++length) {
    disk_facts facts;
    const std::vector<byte> exactly(data.begin(), data.begin() + length);
    EXPECT_EQ(parse_mode_sense(exactly, facts), length >= 4) << length;
    EXPECT_EQ(facts.write_protected, length >= 4) << length;
    EXPECT_EQ(facts.write_cache, length < 7) << "known only if the whole page is there";
  }
}

// The command fails so often with this; returns its outcome. It was sent `sent` times.
void read_with(u32 failures, scsi_target::sense why, bool succeeds, u32 sent) {
  with_disk({}, [&](served_stick& s, block_device& disk) {
    dma_block block;
    const u32 before = s.stick.count(read_10);
    s.stick.disk.failures.assign(failures, why);
    EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), succeeds)
        << int{why.key} << " " << int{why.asc} << " " << failures;
    EXPECT_EQ(s.stick.count(read_10) - before, sent) << int{why.key} << " " << int{why.asc};
    s.stick.disk.failures.clear();
    EXPECT_EQ(s.departures, 0u);
    EXPECT_EQ(s.stick.resets, 0u);
    EXPECT_TRUE(block.move(disk, block_command::read, 8)) << "and it lives on";
  });
}

TEST(scsi_tries, are_five_of_what_may_succeed_the_next_time) {
  for (const scsi_target::sense why : {scsi_target::sense{3, 0x11, 0},
                                       {0x0B, 0, 0},
                                       {4, 0x44, 0},
                                       {2, 0x05, 0},
                                       {6, 0x2A, 1},
                                       {3, 0x0C, 0, true}}) {
    read_with(4, why, true, 5);
    read_with(5, why, false, 5);
  }
}

// A device that has one unit attention after another is given some time between the tries: 700 ms
// in all.
TEST(scsi_tries, come_slower_while_there_are_unit_attentions) {
  for (const auto& [why, pauses] :
       {std::pair{scsi_target::sense{6, 0x2A, 1}, std::array{0, 100, 300, 700, 700}},
        {scsi_target::sense{3, 0x11, 0}, std::array{0, 0, 0, 0, 0}}})
    for (u32 failures = 1; failures <= 5; ++failures)
      with_disk({}, [&](served_stick& s, block_device& disk) {
        dma_block block;
        s.stick.disk.failures.assign(failures, why);
        const instant begun = now();
        EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), failures < 5);
        const i64 took = (now() - begun).milliseconds(), least = pauses[failures - 1];
        EXPECT_GE(took, least) << failures;
        EXPECT_LT(took, least + 20) << failures;
      });
}

TEST(scsi_tries, is_one_of_what_never_will) {
  for (const scsi_target::sense why :
       {scsi_target::sense{5, 0x24, 0}, {5, 0x20, 0}, {5, 0x21, 0}, {7, 0x30, 0}})
    read_with(1, why, false, 1);
}

TEST(scsi_tries, are_two_of_a_transport_that_fails) {
  for (const u32 failures : {1u, 2u})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      dma_block block;
      u32 left = failures;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == read_10 && a.status == 0 && left > 0) --left, a.status = 2;
      };
      const u32 before = s.stick.count(read_10);
      EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), failures == 1);
      EXPECT_EQ(s.stick.count(read_10) - before, 3u) << "the second one was told of the reset";
      EXPECT_EQ(s.stick.resets, failures);
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
    });
}

// A disk that is becoming ready is asked ten times a second, for half a minute.
TEST(scsi_tries, go_on_for_half_a_minute_while_a_disk_becomes_ready) {
  for (const bool in_time : {true, false})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      dma_block block;
      const instant begun = now();
      s.stick.disk.failures.assign(in_time ? 299 : 400, {2, 0x04, 1});
      EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), in_time);
      EXPECT_GE((now() - begun).ns, (29'900_ms).ns);
      EXPECT_LE((now() - begun).ns, (30'200_ms).ns);
      s.stick.disk.failures.clear();
    });
}

// REQUEST SENSE fails, too: by a failure of the transport the command may be tried again; refused,
// it may have been a deferred error.
// RECOVERED ERROR: the command was executed, and its data count. With a part of them it has failed
// like any other one.
TEST(scsi_tries, is_one_of_what_succeeded_with_some_effort) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    block.fill(0x77);
    for (const block_command cmd : {block_command::write, block_command::read}) {
      const size_t before = s.stick.opcodes.size();
      s.stick.disk.failures.push_back({1, 0x17, 0});
      EXPECT_TRUE(block.move(disk, cmd, 8));
      EXPECT_EQ(s.stick.opcodes.size(), before + 2) << "the command and REQUEST SENSE";
      EXPECT_EQ(block.head.b_data[1023], byte{0x77});
      if (cmd == block_command::write) block.fill(0);
    }
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10) a.residue = SECTOR_SIZE;
    };
    s.stick.disk.failures.push_back({1, 0x17, 0});
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(disk.caches_lost(), 0u);
  });
}

// Sense data without a meaning may be those of a deferred error. They cannot be the news of an
// exchange, as the disk takes no media (lost_news_test.cc).
TEST(scsi_tries, go_on_without_sense_but_in_doubt) {
  for (const u8 code : {u8{0x00}, u8{0x6F}, u8{0x74}, u8{0x7F}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      s.stick.meddle = [=](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == request_sense) a.data[0] = byte{code};
      };
      s.stick.disk.failures.assign(4, {5, 0x20, 0});
      const u32 before = s.stick.count(read_10);
      dma_block block;
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_EQ(s.stick.count(read_10) - before, 5u);
      EXPECT_EQ(disk.caches_lost(), 1u) << int{code};
    });
}

TEST(scsi_tries, of_a_command_whose_failure_is_not_explained) {
  for (const bool refused : {true, false})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.disk.fail_at(read_10, 1, {3, 0x11, 0});
      bool done = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == request_sense && !std::exchange(done, true)) a.status = refused ? 1 : 2;
      };
      const u32 before = s.stick.count(read_10);
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_EQ(s.stick.count(read_10) - before, refused ? 2u : 3u)
          << "a reset is told to the second one";
      EXPECT_EQ(disk.caches_lost(), 1u);
    });
}

TEST(scsi_tries, a_pull_ends_them) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10) a.status = 1;
      if (cbw.cdb[0] == request_sense) s.stick.pull();
    };
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    EXPECT_TRUE(disk.gone());
  });
}

TEST(scsi_tries, a_flush_has_only_one) {
  struct flush_case {
    scsi_target::sense why;
    u32 sent;
    std::optional<error> outcome;
  };
  for (const flush_case& c : std::initializer_list<flush_case>{
           {{3, 0x0C, 0}, 1, error::eio},
           {{3, 0x0C, 0, true}, 1, error::eio},
           {{5, 0x21, 0}, 1, error::eio},
           {{5, 0x26, 0}, 1, error::eio},
           {{7, 0x27, 0}, 1, error::erofs},
           {{6, 0x2A, 0}, 2, {}},  // a message; the flush was not executed
           {{2, 0x04, 1}, 2, {}},
           {{1, 0x17, 0}, 1, {}},  // done, with some effort
           {{5, 0x24, 0}, 1, {}},  // no such command: it writes through
           {{5, 0x20, 0}, 1, {}}})
    with_disk({}, [&](served_stick& s, block_device& disk) {
      s.stick.disk.failures.assign(1, c.why);
      const result<void> outcome = disk.flush();
      EXPECT_EQ(outcome.has_value(), !c.outcome) << int{c.why.key} << " " << int{c.why.asc};
      if (!outcome && c.outcome) {
        EXPECT_EQ(outcome.error(), *c.outcome);
      }
      EXPECT_EQ(s.stick.count(synchronize), c.sent) << int{c.why.key} << " " << int{c.why.asc};
    });
}

}  // namespace
}  // namespace usb::storage
