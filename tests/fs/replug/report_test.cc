// What the console and the info files say of sticks, to the letter: names, counts, times, plurals.
#include "fs/replug/report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fs/checkpoint/settings.h"
#include "fs/checkpoint/story.h"
#include "fs/replug/info_files.h"
#include "hal/clock.h"
#include "tests/fs/machine.h"

namespace {

using namespace sim;
using checkpoint::volume;
using checkpoint::volume_state;

volume& sda_volume() { return *checkpoint::volume_of(sda); }

// What the console says meanwhile.
std::string console_of(const std::function<void()>& body) {
  here().clear_console();
  body();
  return here().console();
}

// A world with a stick as sda, called "STICK" with the serial number SIM1.
void with_stick(const std::function<void(medium&)>& body,
                const boot_options& options = {.hold = 100_s}) {
  medium stick(512);
  run(1, [&] {
    boot(options);
    plug_as(stick, sda);
    body(stick);
  });
}

// Pulls it at a moment that is known exactly.
void pull_now(medium& stick) {
  stick.pull();
  while (state_of(sda) == volume_state::live) sleep_for(1_ms);
}

void hold_six_blocks() {
  for (u32 block : {10u, 11u, 12u}) ASSERT_TRUE(fill_block(sda, block, 1, ino_nr{7}, "/seven"));
  ASSERT_TRUE(fill_block(sda, 20, 1, ino_nr{8}, "/eight"));
  for (u32 block : {30u, 31u}) ASSERT_TRUE(fill_block(sda, block, 1));
}

void sleep_until(instant when) { sleep_for(when - now()); }

TEST(reports, describe_a_stick) {
  media_identity identity{};
  EXPECT_STREQ(checkpoint::describe(identity).data(), "\"USB stick\"");
  identity.serial = {'A', 'B', '1', '2'};
  EXPECT_STREQ(checkpoint::describe(identity).data(), "\"USB stick\" (serial AB12)");
  identity.product = {'B', 'A', 'C', 'K', 'U', 'P'};
  EXPECT_STREQ(checkpoint::describe(identity).data(), "\"BACKUP\" (serial AB12)");
  identity.serial = {};
  EXPECT_STREQ(checkpoint::describe(identity).data(), "\"BACKUP\"");
}

TEST(reports, of_an_arrival_say_name_and_size) {
  with_stick([](medium&) { EXPECT_EQ(here().console(), "sda: \"STICK\", 256 KiB\n"); });
}

TEST(reports, of_six_blocks) {
  with_stick([](medium& stick) {
    hold_six_blocks();
    pull_now(stick);
    const volume& v = sda_volume();
    sleep_until(v.pulled_at + 1_s);
    EXPECT_EQ(console_of([&] { report_missed(v); }),
              "Replug \"STICK\" (serial SIM1): 6 blocks are waiting for it, 1:39 left\n");
    EXPECT_EQ(console_of([&] { report_waiting(v); }),
              "The machine stays on: \"STICK\" (serial SIM1) is away, and 6 blocks wait for it\n"
              "Waiting: /seven (3 blocks)\n"
              "Waiting: /eight (1 block)\n"
              "Waiting: 2 blocks of directories and of the file system itself\n");
    EXPECT_EQ(console_of([&] { report_loss(v); }),
              "LOST: \"STICK\" (serial SIM1) did not come back: 6 blocks given up\n"
              "LOST: /seven (3 blocks)\n"
              "LOST: /eight (1 block)\n"
              "LOST: 2 blocks of directories and of the file system itself\n");
    EXPECT_EQ(console_of([&] { report_return(v, 6, 61234_ms); }),
              "\"STICK\" (serial SIM1) is back as sda: 6 blocks written in 61.234 s, "
              "nothing is lost\n");
  });
}

TEST(reports, of_one_block) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 20, 1));
    const volume& v = sda_volume();
    EXPECT_EQ(console_of([&] { report_waiting(v); }),
              "The machine stays on: \"STICK\" (serial SIM1) cannot be written, and 1 block waits "
              "for it\nWaiting: 1 block of directories and of the file system itself\n");
    EXPECT_EQ(console_of([&] { report_loss(v); }),
              "LOST: \"STICK\" (serial SIM1) cannot be written: 1 block given up\n"
              "LOST: 1 block of directories and of the file system itself\n");
    pull_now(stick);
    EXPECT_EQ(console_of([&] { report_missed(v); }),
              "Replug \"STICK\" (serial SIM1): 1 block is waiting for it, 1:40 left\n");
    checkpoint::current_settings().hold = 3605_s;
    EXPECT_EQ(console_of([&] { report_missed(v); }),
              "Replug \"STICK\" (serial SIM1): 1 block is waiting for it, 60:05 left\n");
    EXPECT_EQ(console_of([&] { report_return(v, 1, 7_ms); }),
              "\"STICK\" (serial SIM1) is back as sda: 1 block written in 0.007 s, nothing is "
              "lost\n");
  });
}

TEST(reports, of_a_file_alone_have_no_rest) {
  with_stick([](medium&) {
    ASSERT_TRUE(fill_block(sda, 20, 1, ino_nr{8}, "/eight"));
    ASSERT_TRUE(fill_block(sda, 21, 1, ino_nr{9}, "/freed"));
    forget_block(sda, block_nr{21});
    EXPECT_EQ(console_of([&] { report_loss(sda_volume()); }),
              "LOST: \"STICK\" (serial SIM1) cannot be written: 1 block given up\n"
              "LOST: /eight (1 block)\n")
        << "a file without a block in the set loses nothing";
  });
}

TEST(reports, of_nothing_held) {
  with_stick([](medium& stick) {
    volume& v = sda_volume();
    EXPECT_EQ(console_of([&] { report_waiting(v); }),
              "The machine stays on: \"STICK\" (serial SIM1) cannot be written, and a change waits "
              "for it\n");
    {
      const auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      pull_now(stick);
      EXPECT_EQ(console_of([&] { report_waiting(v); }),
                "The machine stays on: \"STICK\" (serial SIM1) is away, and a program is writing "
                "to it\n");
      EXPECT_EQ(console_of([&] { report_missed(v); }),
                "Replug \"STICK\" (serial SIM1): 0 blocks are waiting for it, 1:40 left\n");
      ++v.uses;
    }
    EXPECT_EQ(console_of([&] { report_missed(v); }),
              "Replug \"STICK\" (serial SIM1): it is in use, nothing is waiting to be written\n");
    EXPECT_EQ(console_of([&] { report_loss(v); }),
              "\"STICK\" (serial SIM1) was given up; nothing is lost\n");
    --v.uses;
    checkpoint::release_if_unused(v);
  });
}

TEST(reports, of_a_stick_that_is_refused) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 20, 1, ino_nr{8}, "/eight"));
    ASSERT_TRUE(change_bytes(sda, 21, 0, 10, 1));
    pull_now(stick);
    sleep_for(100_ms);
    stick.bytes()[21 * BLOCK_SIZE] = byte{77};
    EXPECT_EQ(
        console_of([&] {
          stick.plug();
          await_state(sda, volume_state::conflict);
        }),
        "\"STICK\" (serial SIM1) was changed elsewhere while it was away: nothing is written "
        "to it. `ckpt force sda` writes our blocks, `ckpt keep sda` gives them up\n"
        "Ours: /eight (1 block)\nOurs: 1 block of directories and of the file system itself\n");
    const volume& v = sda_volume();
    EXPECT_EQ(console_of([&] { report_waiting(v); }),
              "The machine stays on: \"STICK\" (serial SIM1) was changed elsewhere, and 2 blocks "
              "wait for it\nWaiting: /eight (1 block)\n"
              "Waiting: 1 block of directories and of the file system itself\n");
    EXPECT_EQ(console_of([&] { report_stranger(v, *v.refused, "hat is green"); }),
              "\"STICK\" (serial SIM1) is not the missing \"STICK\" (serial SIM1): its hat is "
              "green\n");
  });
}

TEST(reports, count_seconds_up) {
  with_stick([](medium& stick) {
    volume& v = sda_volume();
    EXPECT_EQ(checkpoint::seconds_left(v), -1) << "no deadline";
    ASSERT_TRUE(fill_block(sda, 20, 1));
    pull_now(stick);
    const auto left_after = [&](duration d) {
      sleep_until(v.pulled_at + d);
      return checkpoint::seconds_left(v);
    };
    EXPECT_EQ(left_after(10_s), 90);
    EXPECT_EQ(left_after(10'001_ms), 90) << "89.999";
    EXPECT_EQ(left_after(10'999_ms), 90) << "89.001";
    EXPECT_EQ(left_after(11_s), 89);
    EXPECT_EQ(left_after(99'999_ms), 1);
    checkpoint::current_settings().hold = 1_s;
    EXPECT_EQ(checkpoint::seconds_left(v), 0) << "not less";
    checkpoint::current_settings().hold = 100_s;  // replugd has not been told of the other time
  });
}

// The first reminder after two seconds, then one a minute, then the loss.
TEST(reminders, come_at_their_time) {
  with_stick(
      [](medium& stick) {
        ASSERT_TRUE(fill_block(sda, 20, 1));
        pull_now(stick);
        const instant pulled = sda_volume().pulled_at;
        here().clear_console();
        const auto lines_at = [&](duration d) {
          sleep_until(pulled + d);
          return std::ranges::count(here().console(), '\n');
        };
        EXPECT_EQ(lines_at(1'999_ms), 0);
        EXPECT_EQ(lines_at(2'001_ms), 1);
        EXPECT_EQ(lines_at(61'999_ms), 1);
        EXPECT_EQ(lines_at(62'001_ms), 2);
        EXPECT_EQ(lines_at(121'999_ms), 2);
        EXPECT_EQ(lines_at(122'001_ms), 3);
        EXPECT_EQ(lines_at(149'999_ms), 3);
        EXPECT_EQ(state_of(sda), volume_state::absent);
        EXPECT_EQ(lines_at(150'001_ms), 5);
        EXPECT_EQ(state_of(sda), volume_state::none);
        EXPECT_TRUE(said("1 block is waiting for it, 2:28 left\n"));
        EXPECT_TRUE(said("1 block is waiting for it, 0:28 left\n"));
        here().clear_console();
        plug_as(stick, sda);
        EXPECT_EQ(here().console(),
                  "sda: \"STICK\", 256 KiB\n"
                  "sda: it was given up with 1 blocks unwritten: check it with fsck\n");
      },
      {.hold = 150_s});
}

TEST(reminders, of_a_stick_that_is_only_in_use_come_once) {
  with_stick([](medium& stick) {
    ++sda_volume().uses;
    pull_now(stick);
    here().clear_console();
    sleep_for(1000_s);
    EXPECT_EQ(here().console(),
              "Replug \"STICK\" (serial SIM1): it is in use, nothing is waiting to be written\n");
    EXPECT_EQ(state_of(sda), volume_state::absent);
    --sda_volume().uses;
    checkpoint::release_if_unused(sda_volume());
  });
}

std::string text_of(void (*print)(text_sink&)) {
  std::array<char, 2048> text{};
  text_sink out(text);
  print(out);
  return std::string(out.text());
}

TEST(info_files, show_volumes_and_disks) {
  with_stick([](medium& stick) {
    volume& v = sda_volume();
    EXPECT_EQ(text_of(checkpoint::print_volumes),
              "sda  live          0 held  \"STICK\" (serial SIM1)\n");
    v.partitions[1] = {lba{63}, 401, 0x81};
    v.partitions[15] = {lba{500}, 2, 0x0c};
    EXPECT_EQ(text_of(checkpoint::print_disks),
              "sda         256 KiB  live      \"STICK\" (serial SIM1)\n"
              "sda1        200 KiB            type 81, from sector 63\n"
              "sda15         1 KiB            type 0c, from sector 500\n");
    v.partitions[1] = v.partitions[15] = {};
    medium other(256, "SIM2");
    plug_as(other, sdb);
    ASSERT_TRUE(fill_block(sda, 20, 1));
    pull_now(stick);
    EXPECT_EQ(text_of(checkpoint::print_volumes),
              "sda  absent        1 held   100 s left  \"STICK\" (serial SIM1)\n"
              "sdb  live          0 held  \"STICK\" (serial SIM2)\n");
    {
      const checkpoint::verification comparing(v);
      story::tell_stick(story::event::verified, v.disk);
      EXPECT_EQ(text_of(checkpoint::print_volumes).substr(0, 20), "sda  verify        1");
    }
    checkpoint::current_settings().hold = 2_s;
    EXPECT_NE(text_of(checkpoint::print_volumes).find("     2 s left"), std::string::npos);
    checkpoint::current_settings().hold = duration{};
    EXPECT_NE(text_of(checkpoint::print_volumes).find("     0 s left"), std::string::npos);
  });
}

TEST(info_files, take_commands) {
  with_stick([](medium& stick) {
    using checkpoint::execute_command;
    checkpoint::settings& times = checkpoint::current_settings();
    EXPECT_TRUE(execute_command("hold 5"));
    EXPECT_EQ(times.hold.ns, (5_s).ns);
    EXPECT_TRUE(execute_command("  io_wait\t9 \n"));
    EXPECT_EQ(times.io_wait.ns, (9_s).ns);
    EXPECT_TRUE(execute_command("hold 4294967295"));
    for (const char* wrong : {"", "hold", "hold ", "hold 5 6", "hold 5x", "hold x5", "hold -1",
                              "hold 4294967296", "io_wait 1.5", "drop", "held 5", "drop sda now"}) {
      const result<void> outcome = execute_command(wrong);
      EXPECT_TRUE(outcome == fail(error::einval) ||
                  (std::string_view(wrong) == "drop" && outcome == fail(error::enxio)))
          << wrong;
    }
    EXPECT_EQ(times.io_wait.ns, (9_s).ns) << "a wrong command changes nothing";
    EXPECT_EQ(times.hold.seconds(), 4294967295);
    times.hold = 100_s;
    EXPECT_EQ(execute_command("drop sdb"), fail(error::enxio));
    EXPECT_EQ(execute_command("drop sda1"), fail(error::enxio));
    EXPECT_EQ(execute_command("force /dev/sdh"), fail(error::enxio));
    EXPECT_EQ(execute_command("drop sda"), fail(error::ebusy));
    EXPECT_EQ(execute_command("force sda"), fail(error::ebusy));
    ASSERT_TRUE(fill_block(sda, 20, 1));
    pull_now(stick);
    EXPECT_EQ(execute_command("force sda"), fail(error::enomedium));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_TRUE(execute_command("drop /dev/sda"));
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

}  // namespace
