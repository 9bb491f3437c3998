// power_off: the machine is not switched off while that would lose what a program has written.
#include <gtest/gtest.h>

#include <utility>

#include "fs/buffer/write_buffers.h"
#include "fs/replug/power_off.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using checkpoint::give_up_and_unmount_all;
using checkpoint::ready_for_power_off;
using checkpoint::write_and_unmount_all;
using volume_state = checkpoint::volume_state;

// No write reaches this stick's medium any more.
void refuse_writes(medium& stick) {
  stick.fault = [](block_command cmd, lba, u32) {
    return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
  };
}

void expect_unmounted_with(medium& stick, const std::string& path, const std::string& content) {
  const minix_image image(stick.durable());
  EXPECT_EQ(image.problem_text(), "");
  EXPECT_EQ(image.state() & 3, 1) << "not marked as unmounted";
  ASSERT_TRUE(image.has(path));
  EXPECT_EQ(image.files().at(path).content, content);
}

bool is_marked_as_mounted(medium& stick) { return (minix_image(stick.durable()).state() & 1) == 0; }

// --- nothing waits

TEST(power_off, everything_is_written_and_unmounted) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one"));
    ASSERT_TRUE(process.write("/mnt2/file", "two"));
    EXPECT_TRUE(ready_for_power_off());
    EXPECT_EQ(checkpoint::held_blocks(*checkpoint::volume_of(sda)), 0u);
    EXPECT_TRUE(write_and_unmount_all());
    expect_unmounted_with(stick, "/file", "one");
    expect_unmounted_with(other, "/file", "two");
    EXPECT_FALSE(said("stays on"));
  });
}

// A write that failed once is told to the programs, by fsync or sync, and not to power off.
TEST(power_off, an_error_that_is_over_is_no_reason_to_stay_on) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one"));
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) {
      return cmd == block_command::write && std::exchange(broken, false) ? std::optional(error::eio)
                                                                         : std::nullopt;
    };
    EXPECT_FALSE(flush_buffers(sda));
    EXPECT_TRUE(ready_for_power_off()) << here().console();
    EXPECT_ERROR(error::eio, sys_sync());
    EXPECT_TRUE(write_and_unmount_all());
    expect_unmounted_with(stick, "/file", "one");
  });
}

TEST(power_off, a_stick_that_was_pulled_clean_is_not_waited_for) {
  with_mounted_stick([](medium& stick, session&) {
    ASSERT_TRUE(sys_sync());
    pull_from(stick, sda);
    EXPECT_TRUE(ready_for_power_off());
    EXPECT_TRUE(write_and_unmount_all());
    EXPECT_FALSE(said("LOST"));
  });
}

// --- something waits

TEST(power_off, is_refused_while_a_stick_is_away) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    write_and_pull(stick, process, "/mnt/notes.txt", pattern(3'000, 1));
    ASSERT_TRUE(process.write("/mnt2/file", "two"));
    const instant asked = now();
    EXPECT_ERROR(error::ebusy, ready_for_power_off());
    EXPECT_LT((now() - asked).milliseconds(), 1) << "it waited";
    EXPECT_TRUE(said("The machine stays on: \"STICK\" (serial SIM1) is away, and "))
        << here().console();
    EXPECT_TRUE(said("blocks wait for it"));
    EXPECT_TRUE(said("Waiting: /mnt/notes.txt (")) << here().console();
    EXPECT_TRUE(said("blocks of directories and of the file system itself")) << here().console();
    EXPECT_FALSE(said("LOST"));

    plug_as(stick, sda);
    EXPECT_TRUE(write_and_unmount_all());
    expect_unmounted_with(stick, "/notes.txt", pattern(3'000, 1));
    expect_unmounted_with(other, "/file", "two");
  });
}

// Raw writes, to a disk that is not mounted at all.
TEST(power_off, is_refused_while_an_unmounted_stick_is_away) {
  medium stick(512);
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(fill_block(sda, 7, 1, ino_nr{5}, "/dev/sda"));
    pull_from(stick, sda);
    EXPECT_ERROR(error::ebusy, ready_for_power_off());
    EXPECT_TRUE(said("Waiting: /dev/sda (1 block)")) << here().console();
    plug_as(stick, sda);
    EXPECT_TRUE(ready_for_power_off());
    EXPECT_TRUE(block_is(stick.durable(), 7, 1));
  });
}

TEST(power_off, is_refused_while_a_stick_is_in_conflict) {
  medium stick(512);
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
    pull_from(stick, sda);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_ERROR(error::ebusy, ready_for_power_off());
    EXPECT_TRUE(said("was changed elsewhere, and 1 block waits for it")) << here().console();
  });
}

TEST(power_off, is_refused_while_a_stick_refuses_its_blocks) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    ASSERT_TRUE(process.write("/mnt/notes.txt", pattern(3'000, 1)));
    ASSERT_TRUE(process.write("/mnt2/file", "two"));
    refuse_writes(stick);
    EXPECT_ERROR(error::ebusy, ready_for_power_off());
    EXPECT_TRUE(said("cannot be written, and ")) << here().console();
    EXPECT_TRUE(said("Waiting: /mnt/notes.txt (")) << here().console();
    EXPECT_TRUE(minix_image(other.durable()).has("/file")) << "the other one could be written";

    stick.fault = {};
    EXPECT_TRUE(write_and_unmount_all());
    expect_unmounted_with(stick, "/notes.txt", pattern(3'000, 1));
  });
}

// With hold=0 nothing is held, but what a stick refuses would be lost all the same.
TEST(power_off, is_refused_without_shadows_too) {
  with_mounted_stick(1, {.hold = duration{}}, [](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one"));
    refuse_writes(stick);
    EXPECT_ERROR(error::ebusy, ready_for_power_off());
    EXPECT_TRUE(said("The machine stays on: ")) << here().console();
    stick.fault = {};
  });
}

// --- what happens meanwhile

TEST(power_off, waits_for_a_stick_that_is_coming_back) {
  for_each_seed(20, [](u64 seed) {
    with_mounted_stick(seed, {}, [](medium& stick, session& process) {
      write_and_pull(stick, process, "/mnt/file", pattern(30'000, 1));
      stick.least_latency = stick.most_latency = 5_ms;
      stick.plug();
      while (!checkpoint::being_replayed(*checkpoint::volume_of(sda))) sleep_for(1_ms);
      EXPECT_TRUE(write_and_unmount_all());
      expect_unmounted_with(stick, "/file", pattern(30'000, 1));
    });
  });
}

TEST(power_off, can_be_interrupted_while_it_waits) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", pattern(30'000, 1));
    stick.least_latency = stick.most_latency = 100_ms;
    stick.plug();
    while (!checkpoint::being_replayed(*checkpoint::volume_of(sda))) sleep_for(1_ms);
    const auto asker = spawn("poweroff", [] { EXPECT_ERROR(error::eintr, ready_for_power_off()); });
    sleep_for(1_ms);
    asker.signal();
    asker.join();
    await_state(sda, volume_state::live);
  });
}

TEST(power_off, can_be_interrupted_while_it_writes) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(30'000, 1)));
    stick.least_latency = stick.most_latency = 100_ms;
    const auto asker = spawn("poweroff", [] { EXPECT_ERROR(error::eintr, ready_for_power_off()); });
    sleep_for(50_ms);
    asker.signal();
    asker.join();
  });
}

// A pull while it writes or unmounts: it is told at once, not at the end of hold, and nothing is
// lost.
TEST(power_off, is_refused_when_a_stick_is_pulled_meanwhile) {
  u32 refused = 0;
  for (u64 step = 1; step < 120; ++step) {
    with_two_mounted_sticks([&](medium& stick, medium& other, session& process) {
      ASSERT_TRUE(process.write("/mnt/file", pattern(20'000, 1)));
      ASSERT_TRUE(process.write("/mnt2/file", "two"));
      stick.pull_at(stick.steps() + step, {});
      const instant asked = now();
      const result<void> away = write_and_unmount_all();
      EXPECT_LT((now() - asked).seconds(), 31) << "longer than io_wait";
      if (away) {
        const checkpoint::volume* v = checkpoint::volume_of(sda);
        EXPECT_TRUE(!v || !checkpoint::has_unfinished_work(*v))
            << "blocks wait, and it would have gone off";
        return expect_unmounted_with(other, "/file", "two");
      }
      EXPECT_EQ(away.error(), error::ebusy);
      ++refused;
      EXPECT_TRUE(said("is away, and ")) << here().console();
      plug_as(stick, sda);
      EXPECT_TRUE(write_and_unmount_all());
      expect_unmounted_with(stick, "/file", pattern(20'000, 1));
      expect_unmounted_with(other, "/file", "two");
    });
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, 20u);
}

// A late refusal: what was marked as unmounted although files are open is in use again.
TEST(power_off, marks_the_disks_that_stay_mounted_after_a_refusal) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one"));
    const opened file(process.context(), "/mnt/file", abi::o_rdonly);
    ASSERT_TRUE(sys_sync());
    // The other one takes everything but the mark in its superblock.
    other.fault = [](block_command cmd, lba first, u32) {
      constexpr lba super_block{2};
      const bool mark = cmd == block_command::write && first == super_block;
      return mark ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_TRUE(ready_for_power_off());
    EXPECT_ERROR(error::ebusy, write_and_unmount_all());
    EXPECT_FALSE(sys_sync()) << "of the other one";
    EXPECT_TRUE(is_marked_as_mounted(stick));
    other.fault = {};
  });
}

// --- by force

TEST(power_off, by_force_gives_up_and_names_what_is_lost) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    write_and_pull(stick, process, "/mnt/notes.txt", pattern(3'000, 1));
    ASSERT_TRUE(process.write("/mnt2/file", "two"));
    const std::vector<byte> before(stick.durable().begin(), stick.durable().end());
    give_up_and_unmount_all();
    EXPECT_TRUE(said("LOST: /mnt/notes.txt (")) << here().console();
    expect_unmounted_with(other, "/file", "two");
    stick.plug();
    sleep_for(10_s);
    EXPECT_TRUE(std::ranges::equal(before, stick.durable()));
  });
}

// The stick is back: what it has been given by then is on it, and nothing is given up in silence.
TEST(power_off, by_force_waits_for_the_end_of_a_replay) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(20'000, 1)));
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 100_ms;
    stick.plug();
    await_state(sda, volume_state::replay);
    give_up_and_unmount_all();
    EXPECT_TRUE(minix_image(stick.durable()).has("/file") || said("LOST"));
    EXPECT_EQ(checkpoint::volume_of(sda) ? checkpoint::held_blocks(*checkpoint::volume_of(sda)) : 0,
              0u);
  });
}

TEST(power_off, by_force_names_what_a_stick_refuses) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    ASSERT_TRUE(process.write("/mnt/notes.txt", pattern(3'000, 1)));
    ASSERT_TRUE(process.write("/mnt2/file", "two"));
    refuse_writes(stick);
    give_up_and_unmount_all();
    EXPECT_TRUE(said("cannot be written: ")) << here().console();
    EXPECT_TRUE(said("LOST: /mnt/notes.txt (")) << here().console();
    expect_unmounted_with(other, "/file", "two");
    stick.fault = {};
  });
}

// Given up as well: the stick of nothing but raw writes, and the one that is pulled at the last
// moment.
TEST(power_off, by_force_tells_of_every_stick) {
  medium stick(512);
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(fill_block(sda, 7, 1, ino_nr{5}, "/dev/sda"));
    stick.pull_at(stick.steps() + 1, {});
    give_up_and_unmount_all();
    EXPECT_FALSE(stick.plugged());
    EXPECT_TRUE(said("LOST: /dev/sda (1 block)")) << here().console();
  });
}

}  // namespace
