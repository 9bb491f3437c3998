// The news of an exchange that is lost (scsi.h): a failure without a reason on a unit that takes
// media, or an answer that is lost.
#include <gtest/gtest.h>

#include <cstring>

#include "hal/clock.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

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

// What the next REQUEST SENSE answers is lost, in this way.
meddling lose_once(void (*how)(fake_stick::answer&)) {
  return [how, done = false](const command_block_wrapper& cbw, fake_stick::answer& a) mutable {
    if (cbw.cdb[0] == request_sense && !std::exchange(done, true)) how(a);
  };
}

// A command of a card in use is answered with 06/28, and the answer is spoiled by `meddle`.
void exchange_at(u8 opcode, const char* name, const meddling& meddle, bool clears = false) {
  with_disk(take_media, [&](served_stick& s, block_device& disk) {
    dma_block block;
    block.fill(0x5A);
    s.stick.disk.reset_clears_attentions = clears;
    s.stick.disk.fail_at(opcode, 1, {6, 0x28, 0});
    s.stick.meddle = meddle;
    const attach_epoch before = disk.epoch;
    if (opcode == write_10) {
      static_cast<void>(block.move(disk, block_command::write, 8));
    } else if (opcode == read_10) {
      EXPECT_FALSE(block.move(disk, block_command::read, 8));
    } else if (opcode == synchronize) {
      EXPECT_EQ(disk.flush(), fail(error::enodev)) << name;
    }
    sleep_for(8_s);
    if (opcode == write_10 || opcode == read_10) sleep_for(30_s);
    EXPECT_EQ(s.departures, 1u) << name << " " << u32{opcode};
    EXPECT_EQ(s.stick.count(write_10), opcode == write_10) << name << ": never sent again";
    EXPECT_EQ(s.stick.storage.newest(8)[0], byte{0}) << name;
    block_device* again = s.await_arrival();
    ASSERT_TRUE(again) << name;
    EXPECT_NE(again->epoch, before);
    EXPECT_TRUE(block.move(*again, block_command::read, 8));
  });
}

TEST(usb_lost_news, of_an_exchange_never_write_to_the_new_card) {
  for (const auto& [name, how] : ways_to_lose)
    for (const u8 opcode : {write_10, read_10, synchronize, test_unit_ready})
      exchange_at(opcode, name, lose_once(how));
}

// The ways in which the answer to the command itself is lost. The device is reset then.
const std::vector<std::pair<const char*, void (*)(fake_stick::answer&)>> ways_to_fail{
    {"wrong status", [](fake_stick::answer& a) { ++a.tag; }},
    {"phase error", [](fake_stick::answer& a) { a.status = 2; }},
    {"no status", [](fake_stick::answer& a) { a.silent = true; }}};

TEST(usb_lost_news, with_the_status_never_write_to_the_new_card) {
  for (const auto& [name, how] : ways_to_fail)
    for (const u8 opcode : {write_10, read_10, synchronize, test_unit_ready})
      for (const bool clears : {false, true})
        exchange_at(opcode, name, spoil_once(opcode, how), clears);
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
// ended, and then it is an error of that place, which is left alone. In time it is tried again, and
// the failure may be an exchange again.
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
    EXPECT_EQ(stick.count(write_10), sent) << "not sent";
    EXPECT_EQ(block.move(*disk, block_command::write, 16), fail(error::eio));
    EXPECT_EQ(stick.count(write_10), sent + 1) << "not sent again";
    EXPECT_EQ(s.departures, 3u);
    EXPECT_TRUE(said("usb 0-1: a failure without a reason; its medium is looked at anew\n"));
    sleep_for(11_s);
    EXPECT_EQ(block.move(*disk, block_command::write, 8), fail(error::eio));
    EXPECT_EQ(s.departures, 3u) << "a long plug before is no reason to end one";
    sleep_for(49_s);
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

// The status is lost: the same.
TEST(usb_lost_news, an_examination_without_status_is_made_again) {
  run(1, [] {
    fake_stick stick;
    stick.disk.tells_of_resets = false;
    take_media(stick);
    stick.disk.reset_clears_attentions = true;
    stick.disk.fail_at(mode_sense, 1, {6, 0x28, 0});
    stick.meddle = spoil_once(mode_sense, [](fake_stick::answer& a) { a.status = 2; });
    served_stick s(stick);
    EXPECT_TRUE(s.await_arrival());
    EXPECT_EQ(stick.count(0x25), 2u);
    s.finish();
  });
}

// A reset of the device's own may have cleared the news as well.
TEST(usb_lost_news, an_examination_with_a_reset_is_made_again) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    stick.disk.fail_at(mode_sense, 1, {6, 0x29, 0});
    served_stick s(stick);
    EXPECT_TRUE(s.await_arrival());
    EXPECT_EQ(stick.count(0x25), 2u);
    s.finish();
  });
}

// The attention of a reset at the end of an examination is told before the disk is in use.
TEST(usb_lost_news, an_examination_leaves_no_attention) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10 && cbw.cdb[4] == 0x07) a.status = 2;  // the last sector
    };
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    dma_block block;
    EXPECT_TRUE(block.move(*disk, block_command::write, 8));
    EXPECT_EQ(s.departures, 0u);
    s.finish();
  });
}

}  // namespace
}  // namespace usb::storage
