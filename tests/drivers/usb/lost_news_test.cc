// The news of an exchange that is lost (scsi.h): a failure without a reason on a unit that takes
// media, and the unit attention that the driver's own reset causes.
#include <gtest/gtest.h>

#include <cstring>

#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

using meddling = std::function<void(const command_block_wrapper&, fake_stick::answer&)>;

// The ways in which the sense data of a failure do not tell why.
const std::vector<std::pair<const char*, void (*)(fake_stick::answer&)>> ways_to_lose{
    {"refused", [](fake_stick::answer& a) { a.status = 1; }},
    {"no bytes", [](fake_stick::answer& a) { a.data.clear(), a.residue = 18; }},
    {"one byte", [](fake_stick::answer& a) { a.data.resize(1), a.residue = 17; }},
    {"without key", [](fake_stick::answer& a) { a.data.resize(2), a.residue = 16; }},
    {"without code", [](fake_stick::answer& a) { a.data.resize(12), a.residue = 6; }},
    {"garbage", [](fake_stick::answer& a) { a.data.assign(18, byte{0xEE}); }},
    {"code 6Fh", [](fake_stick::answer& a) { a.data[0] = byte{0x6F}; }},
    {"code 74h", [](fake_stick::answer& a) { a.data[0] = byte{0x74}; }},
    {"no sense", [](fake_stick::answer& a) { a.data.assign(18, byte{0}), a.data[0] = byte{0x70}; }},
    {"wrong status", [](fake_stick::answer& a) { ++a.tag; }},
    {"no status", [](fake_stick::answer& a) { a.silent = true; }}};

void take_media(fake_stick& stick) { stick.disk.removable_medium = true; }

// What the next REQUEST SENSE answers is lost, in this way.
meddling lose_once(void (*how)(fake_stick::answer&)) {
  return [how, done = false](const command_block_wrapper& cbw, fake_stick::answer& a) mutable {
    if (cbw.cdb[0] == request_sense && !std::exchange(done, true)) how(a);
  };
}

TEST(usb_lost_news, of_an_exchange_never_write_to_the_new_card) {
  for (const auto& [name, how] : ways_to_lose)
    for (const u8 opcode : {write_10, read_10, synchronize, test_unit_ready})
      with_disk(take_media, [&, name = name, how = how](served_stick& s, block_device& disk) {
        dma_block block;
        block.fill(0x5A);
        s.stick.disk.fail_at(opcode, 1, {6, 0x28, 0});
        s.stick.meddle = lose_once(how);
        const attach_epoch before = disk.epoch;
        if (opcode == write_10) {
          static_cast<void>(block.move(disk, block_command::write, 8));
        } else if (opcode == read_10) {
          EXPECT_FALSE(block.move(disk, block_command::read, 8));
        } else if (opcode == synchronize) {
          EXPECT_EQ(disk.flush(), fail(error::enodev)) << name;
        }
        sleep_for(8_s);
        EXPECT_EQ(s.departures, 1u) << name << " " << u32{opcode};
        EXPECT_EQ(s.stick.count(write_10), opcode == write_10) << name << ": never sent again";
        EXPECT_EQ(s.stick.storage.newest(8)[0], byte{0}) << name;
        block_device* again = s.await_arrival();
        ASSERT_TRUE(again) << name;
        EXPECT_NE(again->epoch, before);
        EXPECT_TRUE(block.move(*again, block_command::read, 8));
      });
}

// Attentions that are not known may tell of another medium; those that are do not concern it.
TEST(usb_lost_news, an_attention_of_another_kind_may_be_an_exchange) {
  for (u32 asc = 0; asc < 256; ++asc)
    with_disk(take_media, [&](served_stick& s, block_device& disk) {
      dma_block block;
      const bool harmless = asc == 0x2A || asc == 0x2F || (asc >= 0x5A && asc <= 0x5E);
      s.stick.disk.fail_at(write_10, 1, {6, static_cast<u8>(asc), 0});
      static_cast<void>(block.move(disk, block_command::write, 8));
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, harmless ? 0u : 1u) << asc;
      EXPECT_EQ(s.stick.count(write_10), harmless ? 2u : 1u) << asc;
    });
}

// A disk that takes no media has none to be exchanged.
TEST(usb_lost_news, a_disk_without_media_is_asked_again) {
  for (const auto& [name, how] : ways_to_lose)
    with_disk({}, [&, name = name, how = how](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.disk.fail_at(write_10, 1, {3, 0x0C, 0});
      s.stick.meddle = lose_once(how);
      const bool known = std::string(name) == "without code";  // the key is there
      EXPECT_TRUE(block.move(disk, block_command::write, 8)) << name;
      EXPECT_EQ(s.departures, 0u) << name;
      EXPECT_EQ(disk.caches_lost(), known ? 0u : 1u) << name;
    });
}

// A stick that says it takes media, with a place that fails and never a reason: three plugs are
// ended, and then it is an error of that place. In time the next failure may be an exchange again.
TEST(usb_lost_news, a_place_that_fails_without_a_reason_does_not_end_plugs_for_ever) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    ASSERT_TRUE(s.await_arrival());
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == request_sense) a.data.assign(18, byte{0});
    };
    stick.disk.never_succeeds[write_10] = {3, 0x0C, 0};
    for (u32 plug = 1; plug <= 3; ++plug) {
      dma_block block;
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      static_cast<void>(block.move(*disk, block_command::write, 8));
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, plug);
    }
    const u32 sent = stick.count(write_10);
    dma_block block;
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    EXPECT_EQ(block.move(*disk, block_command::write, 8), fail(error::eio));
    EXPECT_EQ(stick.count(write_10), sent + 1) << "not sent again";
    EXPECT_EQ(s.departures, 3u);
    EXPECT_TRUE(said("usb 0-1: a failure without a reason; its medium is looked at anew\n"));
    sleep_for(11_s);
    static_cast<void>(block.move(*disk, block_command::write, 8));
    sleep_for(1_ms);
    EXPECT_EQ(s.departures, 4u);
    stick.meddle = nullptr;
    s.finish();
  });
}

// Lost while the disk is examined: the facts may be those of two media.
TEST(usb_lost_news, an_examination_without_reason_is_made_again) {
  for (const bool other : {false, true})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      stick.disk.fail_at(mode_sense, 1, {6, other ? u8{0x3F} : u8{0x28}, 0});
      if (!other) stick.meddle = lose_once([](fake_stick::answer& a) { a.status = 1; });
      served_stick s(stick);
      EXPECT_TRUE(s.await_arrival());
      EXPECT_EQ(stick.count(0x25), 2u);
      s.finish();
    });
}

// --- our own reset ---

// The device tells of it (06/29) to the next command of each unit. Nothing ends by that, but what
// was written before is in doubt.
TEST(usb_own_reset, ends_no_plug) {
  for (const u8 opcode : {read_10, write_10, synchronize})
    with_disk(take_media, [&](served_stick& s, block_device& disk) {
      dma_block block;
      EXPECT_TRUE(block.move(disk, block_command::write, 8));
      bool once = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == opcode && !std::exchange(once, true)) a.status = 2;
      };
      if (opcode == synchronize)
        EXPECT_EQ(disk.flush(), fail(error::eio));
      else
        EXPECT_TRUE(
            block.move(disk, opcode == read_10 ? block_command::read : block_command::write, 8));
      sleep_for(3_s);
      EXPECT_EQ(s.stick.resets, 1u);
      EXPECT_EQ(s.departures, 0u);
      EXPECT_GT(disk.caches_lost(), 0u);
      EXPECT_TRUE(s.stick.disk.failures.empty()) << "the attention was told";
    });
}

// A success shows that there is no attention left: the next one is a reset of the device's own.
TEST(usb_own_reset, explains_no_later_reset) {
  with_disk(take_media, [](served_stick& s, block_device& disk) {
    dma_block block;
    bool once = false;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10 && !std::exchange(once, true)) a.status = 2;
    };
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(s.departures, 0u);
    s.stick.disk.failures.push_back({6, 0x29, 0});
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    sleep_for(1_ms);
    EXPECT_EQ(s.departures, 1u);
  });
}

// A card that was exchanged meanwhile is told of as well.
TEST(usb_own_reset, hides_no_exchange) {
  with_disk(take_media, [](served_stick& s, block_device& disk) {
    dma_block block;
    bool once = false;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] != write_10 || std::exchange(once, true)) return;
      a.status = 2;
      a.leave_data = true;
      s.stick.disk.failures.push_back({6, 0x28, 0});
    };
    block.fill(0x5A);
    s.stick.storage.clear_log();
    static_cast<void>(block.move(disk, block_command::write, 8));
    sleep_for(1_ms);
    EXPECT_EQ(s.departures, 1u);
    EXPECT_EQ(s.stick.count(write_10), 3u) << "the second one was told of the reset";
    EXPECT_EQ(s.stick.storage.newest(8)[0], byte{0});
  });
}

}  // namespace
}  // namespace usb::storage
