// A stick on the simulated controller that loses its write cache and says so, in one of the ways in
// which a stick says that (drivers/usb/storage/scsi.h). When `sync` has returned 0, the medium has
// everything, whatever becomes of the cache.
#include <gtest/gtest.h>

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

constexpr u8 write_10 = 0x2A, synchronize = 0x35;

using trouble = void (*)(usb_machine&, medium&);
struct way {
  const char* name;
  trouble begin;
};
void PrintTo(const way& w, std::ostream* out) { *out << w.name; }

void fail_flushes(medium& stick, u32 times) {
  stick.fault = [times](block_command cmd, lba, u32) mutable -> std::optional<error> {
    if (cmd != block_command::flush || times == 0) return std::nullopt;
    --times;
    return error::eio;
  };
}

// Answers the n-th command with this operation code otherwise.
void meddle(usb_stick& stick, u8 opcode, u32 n, void (*how)(usb_stick::answer&)) {
  stick.meddle = [=](u8 now, usb_stick::answer& answer) mutable {
    if (now == opcode && n-- == 1) how(answer);
  };
}

const std::array ways{
    way{"flush_fails", [](usb_machine&, medium& stick) { fail_flushes(stick, 1); }},
    way{"flush_fails_twice", [](usb_machine&, medium& stick) { fail_flushes(stick, 2); }},
    way{"flush_hangs",
        [](usb_machine& machine, medium& stick) {
          meddle(machine.stick_of(stick), synchronize, 1, [](auto& a) { a.hang = true; });
        }},
    way{"flush_has_a_wrong_status",
        [](usb_machine& machine, medium& stick) {
          meddle(machine.stick_of(stick), synchronize, 1, [](auto& a) { a.wrong_tag = true; });
        }},
    way{"write_is_followed_by_a_reset",
        [](usb_machine& machine, medium& stick) {
          meddle(machine.stick_of(stick), write_10, 2, [](auto& a) { a.wrong_tag = true; });
        }},
    way{"earlier_write_fails_later",
        [](usb_machine& machine, medium& stick) {
          machine.stick_of(stick).disk().fail_at(write_10, 2, {3, 0x0C, 0, true});
        }},
    way{"flush_learns_that_an_earlier_write_failed",
        [](usb_machine& machine, medium& stick) {
          machine.stick_of(stick).disk().fail_at(synchronize, 1, {3, 0x0C, 0, true});
        }},
};

class lost_cache : public ::testing::TestWithParam<way> {};

const std::string text = pattern(60'000, 3);

// Two files far apart, so that there are several writes.
void write_files(session& process) {
  ASSERT_TRUE(process.write("/mnt/first", "x"));
  ASSERT_TRUE(process.write("/mnt/file", text));
  ASSERT_TRUE(process.write("/mnt/last", text));
}

void expect_all_on(const medium& stick) {
  minix_image image(stick.durable());
  for (const char* name : {"/file", "/last"}) {
    ASSERT_TRUE(image.has(name)) << name;
    EXPECT_TRUE(image.files().at(name).content == text) << name;
  }
}

void with_mounted_stick(u64 seed, const boot_options& options,
                        const std::function<void(usb_machine&, medium&, session&)>& body) {
  medium stick(mkfs_minix(400));
  usb_machine machine;
  world world({.seed = seed, .time_limit = 3000_s});
  world.run([&] {
    session process(boot_with_root(options));
    machine.power_on();
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(sys_sync());
    body(machine, stick, process);
    if (stick.plugged()) stick.pull({.loss = cache_loss::all});
    sleep_for(3_s);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
}

TEST_P(lost_cache, is_written_again_before_sync_returns) {
  for_each_seed(5, [](u64 seed) {
    with_mounted_stick(seed, {}, [](usb_machine& machine, medium& stick, session& process) {
      write_files(process);
      GetParam().begin(machine, stick);
      EXPECT_TRUE(sys_sync());
      expect_all_on(stick);
      EXPECT_TRUE(process.umount());
      EXPECT_EQ(fsck_minix(stick.durable()), "");
    });
  });
}

// The same while a replay writes what the stick has missed: nothing of it was durable before.
TEST_P(lost_cache, is_written_again_before_a_replay_ends) {
  for_each_seed(5, [](u64 seed) {
    with_mounted_stick(seed, {}, [](usb_machine& machine, medium& stick, session& process) {
      write_files(process);
      stick.pull({.loss = cache_loss::all});
      await_state(sda, volume_state::absent);
      GetParam().begin(machine, stick);
      stick.plug(machine.port(2));
      await_state(sda, volume_state::live);
      expect_all_on(stick);
      EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
    });
  });
}

// hold=0: there are no shadows to write again, so the loss is told.
TEST_P(lost_cache, is_told_where_nothing_can_be_written_again) {
  for_each_seed(5, [](u64 seed) {
    with_mounted_stick(seed, {.hold = {}},
                       [](usb_machine& machine, medium& stick, session& process) {
                         write_files(process);
                         GetParam().begin(machine, stick);
                         EXPECT_FALSE(sys_sync());
                       });
  });
}

INSTANTIATE_TEST_SUITE_P(when, lost_cache, ::testing::ValuesIn(ways),
                         [](const auto& each) { return std::string(each.param.name); });

// A stick that fails again and again: an error each time, and in the end, when it works,
// everything.
TEST(lost_cache, of_a_stick_that_fails_again_and_again_is_an_error) {
  with_mounted_stick(1, {}, [](usb_machine&, medium& stick, session& process) {
    write_files(process);
    fail_flushes(stick, 5);
    EXPECT_EQ(sys_sync().error(), error::eio);
    EXPECT_TRUE(sys_sync());
    expect_all_on(stick);
  });
}

// Two that flush at the same time: the loss that one of them is told of concerns the other too.
TEST(lost_cache, is_noticed_by_everybody_who_flushes) {
  for_each_seed(20, [](u64 seed) {
    with_mounted_stick(seed, {}, [](usb_machine&, medium& stick, session& process) {
      write_files(process);
      ASSERT_TRUE(write_buffers(sda));
      fail_flushes(stick, 1);
      std::vector<fiber> users;
      for (int i = 0; i < 2; ++i)
        users.push_back(spawn("user", [&] {
          EXPECT_TRUE(checkpoint::barrier(sda));
          expect_all_on(stick);
        }));
      for (const fiber& user : users) user.join();
    });
  });
}

// Nor is anything given back before it is durable: a pull instead of the next flush costs nothing.
TEST(lost_cache, is_held_until_a_flush_succeeds) {
  with_mounted_stick(1, {}, [](usb_machine& machine, medium& stick, session& process) {
    write_files(process);
    fail_flushes(stick, 1000);
    EXPECT_FALSE(sys_sync());
    stick.fault = {};
    stick.pull({.loss = cache_loss::all});
    await_state(sda, volume_state::absent);
    stick.plug(machine.port(2));
    await_state(sda, volume_state::live);
    expect_all_on(stick);
  });
}

}  // namespace
}  // namespace sim
