// What lsusb shows of a stick or a unit that is not used: why.
#include <gtest/gtest.h>

#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

constexpr const char* sectors_of_4096 = "sectors of 4096 bytes are not supported";

bool shows(const std::string& text) { return listed().find(text) != std::string::npos; }

struct obstacle {
  const char* name;
  void (*prepare)(usb_stick&);
  const char* why;
};
void PrintTo(const obstacle& o, std::ostream* to) { *to << o.name; }

class unused_disk : public testing::TestWithParam<obstacle> {};

// As long as it is plugged in, and also when its driver has let it go.
TEST_P(unused_disk, says_why) {
  for (const place& where : {super_speed, high_speed}) {
    bench b(where);
    GetParam().prepare(b.function());
    b.run(1, [&] {
      b.plug();
      const std::string line = std::string("not used: ") + GetParam().why + "\n";
      for (int i = 0; i < 4000 && !shows(line); ++i) sleep_for(100_ms);
      EXPECT_TRUE(listed().ends_with(line)) << listed();
      sleep_for(30_s);
      EXPECT_TRUE(listed().ends_with(line)) << listed();
      EXPECT_EQ(std::ranges::count(listed(), '\n'), 1);
      b.stick.pull();
      sleep_for(1_s);
      EXPECT_EQ(listed(), "");
    });
  }
}

void hang_at(usb_stick& stick, u8 opcode) {
  stick.meddle = [opcode](u8 now, usb_stick::answer& a) { a.hang = now == opcode; };
}

INSTANTIATE_TEST_SUITE_P(
    all, unused_disk,
    testing::Values(obstacle{"sectors_of_4096_bytes",
                             [](usb_stick& s) { s.disk().block_size = 4096; }, sectors_of_4096},
                    obstacle{"other_sectors", [](usb_stick& s) { s.disk().block_size = 520; },
                             "sectors of this size are not supported"},
                    obstacle{"a_card_with_sectors_of_4096_bytes",
                             [](usb_stick& s) {
                               s.disk().removable_medium = true;
                               s.disk().block_size = 4096;
                             },
                             sectors_of_4096},
                    obstacle{"one_sector", [](usb_stick& s) { s.disk().claimed_last_lba = 0; },
                             "a medium of this size is not supported"},
                    obstacle{"no_capacity",
                             [](usb_stick& s) {
                               s.disk().never_succeeds[0x25] = {5, 0x20, 0};
                             },
                             "it does not tell its capacity"},
                    obstacle{"a_damaged_capacity",
                             [](usb_stick& s) {
                               s.disk().never_succeeds[0x25] = {3, 0x11, 0};
                             },
                             "it does not tell its capacity"},
                    obstacle{"not_ready",
                             [](usb_stick& s) {
                               s.disk().never_succeeds[0x00] = {3, 0x11, 0};
                             },
                             "it cannot be examined"},
                    obstacle{"a_cd_drive",
                             [](usb_stick& s) {
                               s.meddle = [](u8 now, usb_stick::answer& a) {
                                 if (now == 0x12) a.data.at(0) = byte{5};
                               };
                             },
                             "it is no disk"},
                    obstacle{"no_answer", [](usb_stick& s) { hang_at(s, 0x12); },
                             "it does not answer any more"}),
    [](const auto& one) { return one.param.name; });

// Used first, and given up in use.
TEST(unused_disks, say_why_they_were_given_up) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    EXPECT_TRUE(listed().ends_with("driver usb-storage\n"));
    b.function().meddle = [](u8, usb_stick::answer& a) { a.hang = true; };
    const fiber reader = spawn("reader", [] { static_cast<void>(byte_of(sda, 900)); });
    sleep_for(600_s);
    EXPECT_TRUE(listed().ends_with("not used: it does not answer any more\n")) << listed();
    b.stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(listed(), "");
    b.function().meddle = nullptr;
    b.plug();
    b.until_live(3_s);
    EXPECT_TRUE(listed().ends_with("driver usb-storage\n")) << "a new plug begins anew";
    reader.join();
  });
}

// The device does not answer, and its port cannot be reset.
TEST(unused_disks, say_that_no_reset_helps) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    b.hardware().fail_resets(1, 1000);
    b.function().meddle = [](u8, usb_stick::answer& a) { a.hang = true; };
    const fiber reader = spawn("reader", [] { static_cast<void>(byte_of(sda, 900)); });
    sleep_for(200_s);
    EXPECT_TRUE(listed().ends_with("not used: no reset brings it into step\n")) << listed();
    b.hardware().fail_resets(1, 0);
    b.function().meddle = nullptr;
    b.stick.pull();
    sleep_for(1_s);
    b.plug();
    b.until_live(3_s);
    reader.join();
  });
}

// A card of no use, and another one after it: what is told is of the card that is there.
TEST(unused_disks, tell_of_the_card_that_is_there) {
  bench b(super_speed);
  scsi_target& slot = b.function().disk();
  slot.removable_medium = true;
  slot.block_size = 4096;
  b.run(1, [&] {
    b.plug();
    sleep_for(3_s);
    EXPECT_TRUE(shows(sectors_of_4096));
    slot.never_succeeds[0x00] = {2, 0x3A, 0};
    sleep_for(3_s);
    EXPECT_TRUE(listed().ends_with("driver usb-storage\n")) << "an empty slot: " << listed();
    slot.never_succeeds.clear();
    slot.block_size = SECTOR_SIZE;
    slot.failures.assign(1, {6, 0x28, 0});
    b.until_live(10_s);
    EXPECT_TRUE(listed().ends_with("driver usb-storage\n")) << listed();
    b.works(0x55);
  });
}

// --- several units ---

// The device is used, and the unit has a line of its own until the pull.
TEST(unused_units, have_a_line_of_their_own) {
  bench b(super_speed);
  medium second(4096);
  b.function().add_unit(second).block_size = 4096;
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    sleep_for(1_s);
    EXPECT_EQ(std::ranges::count(listed(), '\n'), 2) << listed();
    EXPECT_TRUE(shows("\"STICK\" serial \"SIM1\" driver usb-storage\n")) << listed();
    EXPECT_TRUE(listed().ends_with(
        "\"STICK unit 1\" serial \"SIM1\" not used: sectors of 4096 bytes are not supported\n"))
        << listed();
    b.works(0x66);
    b.stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(listed(), "");
  });
}

// If none is of use, the device is let go, and its line says it.
TEST(unused_units, make_a_device_of_no_use) {
  bench b(super_speed);
  medium second(4096);
  b.function().disk().block_size = b.function().add_unit(second).block_size = 4096;
  b.run(1, [&] {
    b.plug();
    sleep_for(10_s);
    EXPECT_EQ(std::ranges::count(listed(), '\n'), 1) << listed();
    EXPECT_TRUE(listed().ends_with("not used: sectors of 4096 bytes are not supported\n"))
        << listed();
    b.stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(listed(), "");
  });
}

}  // namespace
}  // namespace sim
