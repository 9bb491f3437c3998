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

// What the next answer of this command is, in this way.
meddling spoil_once(u8 opcode, void (*how)(fake_stick::answer&)) {
  return [=, done = false](const command_block_wrapper& cbw, fake_stick::answer& a) mutable {
    if (cbw.cdb[0] == opcode && !std::exchange(done, true)) how(a);
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

// --- our own reset ---

constexpr void (*phase_error)(fake_stick::answer&) = [](fake_stick::answer& a) { a.status = 2; };

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

}  // namespace
}  // namespace usb::storage
