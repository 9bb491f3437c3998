// What the driver makes of a disk's answers (scsi.h): every sense code, every number of failures,
// every way to describe oneself, each at its limits.
#include <gtest/gtest.h>

#include <string>

#include "drivers/block/block_device.h"
#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"
#include "tests/sim/memory.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr u8 inquiry = 0x12, start_stop = 0x1B, read_capacity = 0x25, read_capacity_16 = 0x9E;

// --- sense data ---

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

// --- how often it tries ---

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

// --- getting ready ---

// Prepares a stick; whether its disk arrives, and what it is like then.
void arrives(const std::function<void(fake_stick&)>& prepare, bool expected,
             const std::function<void(served_stick&, block_device&)>& judge_it = {},
             const char* told = "") {
  run(1, [&] {
    fake_stick stick;
    prepare(stick);
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    EXPECT_EQ(disk != nullptr, expected);
    if (disk && judge_it) judge_it(s, *disk);
    EXPECT_TRUE(said(told)) << told;
    s.finish();
  });
}
void change_inquiry(fake_stick& stick, const std::function<void(std::vector<byte>&)>& how) {
  stick.meddle = [how](const command_block_wrapper& cbw, fake_stick::answer& answer) {
    if (cbw.cdb[0] == inquiry) how(answer.data);
  };
}

TEST(scsi_disk, is_a_direct_access_device) {
  // Of other kinds; and three that are not connected (SPC-4, 6.4.2).
  for (const u32 first : {0x00u, 0x01u, 0x05u, 0x1Fu, 0x20u, 0x60u, 0x7Fu})
    arrives(
        [&](fake_stick& s) {
          change_inquiry(s, [=](auto& d) { d[0] = static_cast<byte>(first); });
        },
        first == 0);
}

// Old and cheap devices give less than 36 bytes. Of a name that is not whole, its beginning counts.
TEST(scsi_disk, describes_itself_in_five_bytes_or_more) {
  for (const u32 length : {0u, 4u, 5u, 8u, 10u, 16u, 18u, 35u, 36u})
    arrives(
        [&](fake_stick& s) {
          s.disk.removable_medium = true;
          change_inquiry(s, [=](auto& d) { d.resize(length); });
        },
        length >= 5,
        [&](served_stick&, block_device& disk) {
          EXPECT_STREQ(disk.identity.vendor.data(), length >= 11   ? "SIM"
                                                    : length == 10 ? "SI"
                                                                   : "");
          EXPECT_STREQ(disk.identity.product.data(), length >= 21   ? "STICK"
                                                     : length == 18 ? "ST"
                                                                    : "");
        });
}

TEST(scsi_disk, says_who_made_it) {
  arrives(
      [](fake_stick& s) {
        change_inquiry(s, [](auto& d) {
          const std::string_view text = "ABCDEFGHIJKLMNOPQRSTUVWX";
          for (size_t i = 0; i < text.size(); ++i) d[8 + i] = static_cast<byte>(text[i]);
        });
      },
      true,
      [](served_stick&, block_device& disk) {
        EXPECT_STREQ(disk.identity.vendor.data(), "ABCDEFGH");
        EXPECT_STREQ(disk.identity.product.data(), "IJKLMNOPQRSTUVWX");
        EXPECT_TRUE(said("usb 0-1: ABCDEFGH IJKLMNOPQRSTUVWX, 1 MiB, write cache on\n"));
      });
}

TEST(scsi_disk, says_what_it_is_like) {
  arrives(
      [](fake_stick& s) { s.storage.write_protected = true; }, true,
      [](served_stick&, block_device&) { EXPECT_TRUE(said("write cache on, write-protected\n")); });
  arrives([](fake_stick& s) { s.disk.tells_write_cache = false; }, true,
          [](served_stick&, block_device&) { EXPECT_TRUE(said("write cache off\n")); });
}

TEST(scsi_disk, limits_its_requests_by_its_speed) {
  for (const auto& [at, sectors] : {std::pair{usb::speed::super, 2048u},
                                    {usb::speed::super_plus, 2048u},
                                    {usb::speed::high, 240u},
                                    {usb::speed::full, 240u}})
    arrives([at = at](fake_stick& s) { s.facts.at = at; }, true,
            [sectors = sectors](served_stick&, block_device& disk) {
              EXPECT_EQ(disk.max_sectors, sectors);
              EXPECT_EQ(disk.max_pieces, 512u);
              EXPECT_EQ(disk.identity.product_id, 1);
            });
}

TEST(scsi_disk, has_a_size_that_can_be_used) {
  for (const u32 last : {0u, 1u, 2u})
    arrives([&](fake_stick& s) { s.disk.claimed_last_lba = last; }, last == 1 || last == 2,
            [&](served_stick&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, last + 1); });
  for (const u32 size : {511u, 512u, 1024u})
    arrives([&](fake_stick& s) { s.disk.block_size = size; }, size == 512);
  arrives(
      [](fake_stick& s) {
        s.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
          if (cbw.cdb[0] == read_capacity) a.data.resize(7);
        };
      },
      false);
}

// READ CAPACITY(10) tells FFFFFFFFh of a larger disk. What the block layer can address of it is
// used: 2^32 - 1 sectors.
TEST(scsi_disk, of_more_than_2_tib_is_used_in_part) {
  struct row {
    u64 last;
    const char* told;  // null: all of it is used, and nothing is said
  };
  for (const row& r :
       {row{0xFFFF'FFFD, nullptr}, row{0xFFFF'FFFE, nullptr},
        row{0xFFFF'FFFF, "a medium of 2048 GiB"}, row{0x1'7FFF'FFFF, "a medium of 3072 GiB"},
        row{0xFF'FFFF'FFFF, "a medium of 524288 GiB"}})
    arrives(
        [&](fake_stick& s) {
          s.disk.claimed_last_lba = r.last;
          s.disk.never_succeeds[read_10] = {3, 0x11, 0};  // it is there, but damaged
        },
        true,
        [&](served_stick& s, block_device& disk) {
          EXPECT_EQ(disk.identity.sectors, std::min<u64>(r.last + 1, 0xFFFF'FFFF));
          EXPECT_EQ(said("only the first 2 TiB are used\n"), r.told != nullptr);
          EXPECT_TRUE(!r.told || said(r.told));
          EXPECT_EQ(s.stick.count(read_capacity_16), r.told ? 1u : 0u);
        });
}

// A large disk that does not tell its size, one that counts other sectors, and one that is small
// after all.
TEST(scsi_disk, tells_its_size_to_read_capacity_16) {
  const auto large = [](fake_stick& s, size_t at, std::initializer_list<u8> value,
                        size_t length = 32) {
    s.disk.claimed_last_lba = 0x1'7FFF'FFFF;
    s.disk.never_succeeds[read_10] = {3, 0x11, 0};
    s.meddle = [=, bytes = std::vector<u8>(value)](const command_block_wrapper& cbw,
                                                   fake_stick::answer& a) {
      if (cbw.cdb[0] != read_capacity_16) return;
      for (size_t i = 0; i < bytes.size(); ++i) a.data[at + i] = byte{bytes[i]};
      a.data.resize(length);
    };
  };
  arrives(
      [](fake_stick& s) {
        s.disk.claimed_last_lba = 0x1'7FFF'FFFF;
        s.disk.never_succeeds[read_capacity_16] = {5, 0x20, 0};
      },
      false, {}, "usb 0-1: the disk is not usable (error 95)\n");
  for (const size_t length : {11u, 12u, 31u, 32u})
    arrives([&](fake_stick& s) { large(s, 0, {}, length); }, length >= 12);
  arrives([&](fake_stick& s) { large(s, 10, {0x10}); }, false, {},
          "usb 0-1: sectors of 4096 bytes are not supported\n");
  arrives(
      [&](fake_stick& s) {
        large(s, 0, {0, 0, 0, 0, 0, 0, 0x10, 0});
      },
      true, [](served_stick&, block_device& disk) { EXPECT_EQ(disk.identity.sectors, 0x1001u); });
  arrives([&](fake_stick& s) { large(s, 0, {0, 0, 0, 0, 0, 0, 0, 0}); }, false);
  arrives([&](fake_stick& s) { large(s, 0, {255, 255, 255, 255, 255, 255, 255, 255}); }, false);
}

// The last sector is read once; only "out of range" tells that the size was one too many.
TEST(scsi_disk, reads_its_last_sector) {
  struct last_case {
    scsi_target::sense why;
    bool arrives;
    u32 sectors;
  };
  for (const last_case& c : std::initializer_list<last_case>{
           {{5, 0x21, 0}, true, 2047}, {{3, 0x11, 0}, true, 2048}, {{5, 0x24, 0}, true, 2048}})
    arrives([&](fake_stick& s) { s.disk.never_succeeds[read_10] = c.why; }, c.arrives,
            [&](served_stick& s, block_device& disk) {
              EXPECT_EQ(disk.identity.sectors, c.sectors);
              s.stick.disk.never_succeeds.clear();
            });
  arrives([](fake_stick&) {}, true,
          [](served_stick& s, block_device& disk) {
            const auto& log = s.stick.storage.log();
            ASSERT_EQ(log.size(), 1u);
            EXPECT_EQ(log[0].cmd, block_command::read)
                << "nothing is written before it has arrived";
            EXPECT_EQ(log[0].first.value(), 2047u);
            EXPECT_EQ(log[0].sectors, 1u);
            EXPECT_EQ(disk.caches_lost(), 0u);
          });
}

// The unit attention of power-on and a reset while it gets ready are no lost cache: nothing has
// been written yet.
TEST(scsi_disk, begins_without_doubt_in_its_cache) {
  arrives(
      [](fake_stick& stick) {
        bool once = true;
        stick.meddle = [once](const command_block_wrapper& cbw, fake_stick::answer& a) mutable {
          if (cbw.cdb[0] == mode_sense && std::exchange(once, false)) a.status = 2;
        };
      },
      true,
      [](served_stick& s, block_device& disk) {
        EXPECT_EQ(s.stick.resets, 1u);
        dma_block block;
        EXPECT_TRUE(block.move(disk, block_command::read, 8));
        EXPECT_EQ(disk.caches_lost(), 0u);
      });
}

TEST(scsi_disk, is_started_only_if_it_does_not_start_by_itself) {
  arrives([](fake_stick&) {}, true,
          [](served_stick& s, block_device&) { EXPECT_EQ(s.stick.count(start_stop), 0u); });
  arrives(
      [](fake_stick& s) {
        s.disk.failures.assign(5, {2, 0x05, 0});
      },
      true,
      [](served_stick& s, block_device&) {
        EXPECT_EQ(s.stick.count(start_stop), 1u);
        EXPECT_EQ(s.stick.count(test_unit_ready), 6u);
      });
  arrives([](fake_stick& s) { s.disk.never_succeeds[test_unit_ready] = {3, 0x11, 0}; }, false);
  arrives(
      [](fake_stick& s) {
        s.disk.failures.assign(5, {2, 0x05, 0});
        s.disk.never_succeeds[start_stop] = {5, 0x20, 0};
      },
      true);  // it does not know the command, and needs none
  arrives(
      [](fake_stick& s) {
        s.disk.failures.assign(5, {2, 0x05, 0});
        s.disk.never_succeeds[start_stop] = {2, 0x3A, 0};
        s.disk.never_succeeds[test_unit_ready] = {2, 0x05, 0};
      },
      false);
}

// Windows and Linux ask for all pages and 192 bytes, so that is what devices know.
TEST(scsi_disk, is_asked_for_its_modes_as_by_other_hosts) {
  for (const bool cache : {true, false})
    arrives(
        [&](fake_stick& s) {
          s.disk.mode_pages = {0x3F};
          s.disk.mode_length = 192;
          s.disk.tells_write_cache = cache;
          s.storage.write_protected = true;
        },
        true,
        [&](served_stick& s, block_device& disk) {
          EXPECT_TRUE(disk.write_protected);
          EXPECT_EQ(s.stick.count(mode_sense), 1u);
          EXPECT_TRUE(said(cache ? "write cache on" : "write cache off"));
        });
}

// A device that fails on it, in any way, is taken to be writable and to have a write cache.
TEST(scsi_disk, arrives_without_mode_pages) {
  for (const scsi_target::sense why :
       {scsi_target::sense{5, 0x20, 0}, {5, 0x24, 0}, {2, 0x05, 0}, {3, 0x11, 0}, {7, 0x27, 0}})
    arrives(
        [&](fake_stick& s) {
          s.storage.write_protected = true;
          s.disk.never_succeeds[mode_sense] = why;
        },
        true,
        [](served_stick&, block_device& disk) {
          EXPECT_FALSE(disk.write_protected);
          EXPECT_TRUE(said("write cache on\n"));
        });
  using way = void (*)(fake_stick::answer&);
  for (const way how : {way{[](fake_stick::answer& a) { a.silent = true; }},
                        way{[](fake_stick::answer& a) { a.status = 2; }},
                        way{[](fake_stick::answer& a) { a.stall_data = true, a.status = 1; }},
                        way{[](fake_stick::answer& a) { a.data.resize(3); }}})
    arrives(
        [&](fake_stick& s) {
          s.meddle = [=](const command_block_wrapper& cbw, fake_stick::answer& a) {
            if (cbw.cdb[0] == mode_sense) how(a);
          };
        },
        true,
        [](served_stick& s, block_device& disk) {
          EXPECT_FALSE(disk.write_protected);
          EXPECT_TRUE(said("write cache on\n"));
          s.stick.meddle = nullptr;
          dma_block block;
          EXPECT_TRUE(block.move(disk, block_command::write, 8));
        });
}

// A pull at any command while it gets ready: no disk arrives, and the device is let go.
TEST(scsi_disk, does_not_arrive_after_a_pull) {
  for (const u8 at : {inquiry, test_unit_ready, read_capacity, mode_sense, read_10})
    run(1, [&] {
      fake_stick stick;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == at) stick.pull(), a.silent = true, a.data_without_end = true;
      };
      served_stick s(stick);
      EXPECT_FALSE(s.await_arrival());
      EXPECT_TRUE(s.ended) << int{at};
      EXPECT_GE(stick.releases, 1u);
      EXPECT_FALSE(said("not usable"));
      EXPECT_FALSE(said("out of step")) << "a pull is no failure of the transport";
      EXPECT_EQ(stick.resets, 0u);
      s.finish();
    });
}

// Without a card: no medium at any command. It is asked again every second, until there is one.
TEST(scsi_disk, waits_for_a_card) {
  for (const u8 at : {test_unit_ready, read_capacity, mode_sense, read_10})
    run(1, [&] {
      fake_stick stick;
      stick.disk.removable_medium = true;
      stick.disk.never_succeeds[at] = {2, 0x3A, 0};
      served_stick s(stick);
      sleep_for(9500_ms);
      EXPECT_EQ(s.arrivals, 0u);
      EXPECT_EQ(stick.count(inquiry), 10u) << "once a second";
      EXPECT_FALSE(said("not usable"));
      stick.disk.never_succeeds.clear();
      EXPECT_TRUE(s.await_arrival());
      const u32 asked = stick.count(test_unit_ready);
      sleep_for(10_s);
      EXPECT_EQ(stick.count(test_unit_ready) - asked, 10u) << "whether it is still there";
      s.finish();
    });
}

TEST(scsi_disk, is_not_asked_all_the_time_when_it_takes_no_cards) {
  with_disk({}, [](served_stick& s, block_device&) {
    const size_t before = s.stick.opcodes.size();
    sleep_for(100_s);
    EXPECT_EQ(s.stick.opcodes.size(), before);
  });
}

// A card reader whose card is of no use is asked until it gets another one; any other device is
// given up.
TEST(scsi_disk, of_no_use_is_given_up_unless_it_takes_cards) {
  for (const bool takes_cards : {false, true})
    run(1, [&] {
      fake_stick stick;
      stick.disk.removable_medium = takes_cards;
      stick.disk.block_size = 4096;
      served_stick s(stick);
      sleep_for(5500_ms);
      EXPECT_EQ(s.ended, !takes_cards);
      EXPECT_EQ(stick.count(inquiry), 1u);
      EXPECT_TRUE(said("usb 0-1: sectors of 4096 bytes are not supported\n"));
      EXPECT_TRUE(said("usb 0-1: the disk is not usable (error 95)\n"));
      s.finish();
      EXPECT_GE(stick.releases, 1u);
    });
}

TEST(scsi_disk, needs_a_pair_of_bulk_endpoints) {
  for (u32 missing = 0; missing < 3; ++missing)
    run(1, [&] {
      fake_stick stick;
      interface_info i = fake_stick::interface();
      if (missing == 0) i.endpoint_list[0].address = 0x01;
      if (missing == 1) i.endpoint_list[1].address = 0x82;
      if (missing == 2) i.endpoint_list[1].attributes = 3;
      usb::storage::serve(stick, i);
      EXPECT_TRUE(said("usb 0-1: a disk without a pair of bulk endpoints\n"));
      EXPECT_TRUE(stick.opcodes.empty());
      EXPECT_EQ(stick.releases, 1u);
    });
}

TEST(scsi_disk, is_matched_by_class_and_protocol) {
  for (const u8 changed : {u8{0}, u8{1}, u8{2}, u8{3}}) {
    interface_info i = fake_stick::interface();
    if (changed == 1) i.interface_class = 7;
    if (changed == 2) i.subclass = 5;
    if (changed == 3) i.protocol = 0x62;
    EXPECT_EQ(matches(i), changed == 0);
  }
}

}  // namespace
}  // namespace usb::storage
