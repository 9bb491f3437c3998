// How a disk is made ready (examine.cc): every way to describe oneself, each at its limits.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "drivers/block/block_device.h"
#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"
#include "tests/sim/memory.h"

namespace usb::storage {
namespace {

using namespace sim;

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

// The answer tells how long it is. One that was cut off would be another stick's name.
TEST(scsi_disk, is_asked_again_for_a_name_that_was_cut_off) {
  arrives(
      [](fake_stick& s) {
        change_inquiry(s, [once = true](auto& d) mutable {
          if (std::exchange(once, false)) d.resize(18);
        });
      },
      true,
      [](served_stick& s, block_device& disk) {
        EXPECT_STREQ(disk.identity.product.data(), "STICK");
        EXPECT_EQ(s.stick.count(inquiry), 2u);
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
          for (const u8 opcode : {read_10, read_16})
            s.disk.never_succeeds[opcode] = {3, 0x11, 0};  // it is there, but damaged
        },
        true,
        [&](served_stick& s, block_device& disk) {
          EXPECT_EQ(disk.identity.sectors, std::min<u64>(r.last + 1, 0xFFFF'FFFF));
          EXPECT_EQ(said("only the first 2 TiB are used\n"), r.told != nullptr);
          EXPECT_TRUE(!r.told || said(r.told));
          EXPECT_EQ(s.stick.count(read_capacity_16), r.told ? 1u : 0u);
          EXPECT_EQ(s.stick.count(read_16) > 0, r.told != nullptr);
          EXPECT_EQ(s.stick.count(read_10) > 0, r.told == nullptr);
        });
}

// A large disk that does not tell its size, one that counts other sectors, and one that is small
// after all.
TEST(scsi_disk, tells_its_size_to_read_capacity_16) {
  const auto large = [](fake_stick& s, size_t at, std::initializer_list<u8> value,
                        size_t length = 32) {
    s.disk.claimed_last_lba = 0x1'7FFF'FFFF;
    s.disk.never_succeeds[read_10] = s.disk.never_succeeds[read_16] = {3, 0x11, 0};
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
      true,
      [](served_stick& s, block_device& disk) {
        EXPECT_EQ(disk.identity.sectors, 0x1001u);
        EXPECT_EQ(s.stick.count(read_16), 0u) << "it is no large one";
      });
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

// A disk that counts one too many is the same disk in its next plug, though its last sector is not
// answered for then: with another size it would be another one.
TEST(scsi_disk, keeps_its_size_though_the_question_for_it_fails) {
  for (const bool hangs : {false, true})
    arrives([](fake_stick& s) { s.disk.claimed_last_lba = 2048; }, true,
            [&](served_stick& s, block_device& disk) {
              EXPECT_EQ(disk.identity.sectors, 2048u);
              bool failed = false;
              s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
                if (cbw.cdb[0] == request_sense && failed) a.data.assign(18, byte{0});
                failed = cbw.cdb[0] == read_10 && cbw.cdb[4] == 8;
                if (failed) a.status = hangs ? 2 : 1;
              };
              s.stick.disk.failures.push_back({6, 0x29, 0});
              EXPECT_FALSE(disk.flush());
              sleep_for(1_ms);
              ASSERT_TRUE(s.await_arrival());
              EXPECT_EQ(s.arrivals, 2u);
              EXPECT_EQ(s.current->identity.sectors, 2048u);
              s.stick.meddle = nullptr;
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

// It says it is ready, and tells a later question that it waits to be started.
TEST(scsi_disk, is_started_when_a_later_question_tells_so) {
  arrives(
      [](fake_stick& s) {
        s.disk.never_succeeds[read_capacity] = {2, 0x04, 2};
        s.meddle = [&s](const command_block_wrapper& cbw, fake_stick::answer&) {
          if (cbw.cdb[0] == start_stop) s.disk.never_succeeds.clear();
        };
      },
      true, [](served_stick& s, block_device&) { EXPECT_EQ(s.stick.count(start_stop), 1u); });
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
