// Two tasks and more at everything for which a task can wait: a buffer's I/O, a free buffer, a
// request, room in the region, an inode's lock, the turn to rename, an inode that is being read,
// the end of a batch, a pipe, a stick that is away.
//
// Little of each is there, so that the tasks stand in each other's way; every sleeper is probed
// each time the clock moves (tests/sim/scheduler.h, Lost wake-ups). At the end the test compares
// the places in the product at which a task slept beside another one with those that it must have
// met.
#include <gtest/gtest.h>

#include <set>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/checkpoint/operation.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace sim {
namespace {

constexpr u32 blocks_of_sticks = 600;

// The places in the product at which tasks slept beside others, over all seeds of a test.
class crowds {
 public:
  void add(const world& of) {
    for (const wait_place& each : of.waits()) {
      // A task that reads an inode waits for its block, and another one for the inode.
      const bool side_by_side =
          each.crowded > 0 || each.where.find("find_loaded") != std::string::npos;
      if (side_by_side && each.where.find("tests/") == std::string::npos)
        places_.insert(each.where);
    }
  }
  bool met(std::string_view place) const {
    for (const std::string& each : places_)
      if (each.find(place) != std::string::npos) return true;
    return false;
  }
  std::string text() const {
    std::string all;
    for (const std::string& each : places_) all += "  " + each + "\n";
    return all;
  }
  size_t count() const { return places_.size(); }

 private:
  std::set<std::string> places_;
};

void expect_met(const crowds& seen, std::initializer_list<const char*> places, const char* test) {
  for (const char* place : places)
    EXPECT_TRUE(seen.met(place)) << place << " was not met; met were\n" << seen.text();
  std::printf("coverage: bystanders %s: %zu places at which tasks wait side by side\n", test,
              seen.count());
}

struct two_sticks {
  medium one{mkfs_minix(blocks_of_sticks)}, two{mkfs_minix(blocks_of_sticks, 96), "OTHER"};
};

void in_crowded_machine(u64 seed, const boot_options& options, crowds& seen,
                        const std::function<void(two_sticks&, session&)>& body) {
  two_sticks sticks;
  sticks.one.max_sectors = sticks.two.max_sectors =
      SECTORS_PER_BLOCK;  // no two blocks make one request
  world machine({.seed = seed_or(seed), .probe_all = true});
  machine.run([&] {
    session process(boot_with_root(options));
    plug_as(sticks.one, sda);
    plug_as(sticks.two, sdb);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    body(sticks, process);
    EXPECT_OK(sys_sync());
    EXPECT_OK(process.umount("/mnt"));
    EXPECT_OK(process.umount("/mnt2"));
    check_buffer_invariants();
  });
  seen.add(machine);
  EXPECT_EQ(minix_image(sticks.one.durable()).problem_text(), "");
  EXPECT_EQ(minix_image(sticks.two.durable()).problem_text(), "");
}

bool is_a_race(error e) { return e == error::enoent || e == error::eexist || e == error::ebusy; }

void accept(const result<void>& outcome) {
  if (!outcome) {
    EXPECT_TRUE(is_a_race(outcome.error())) << static_cast<int>(outcome.error());
  }
}

// What each task does, by turns, with names that the others use too.
void one_turn(session& mine, const std::string& mount, u32 task) {
  const std::string common = mount + "/common", own = mount + "/" + std::to_string(task);
  switch (random_below(7)) {
    case 0: return accept(mine.overwrite(common, pattern(12'000, task)));
    case 1: {
      const result<std::string> text = mine.read(common);
      return accept(text ? result<void>() : fail(text.error()));
    }
    case 2: return accept(mine.rename(common, mount + "/moved"));
    case 3: return accept(mine.rename(mount + "/moved", common));
    case 4: return accept(mine.write(own, pattern(5'000, task)));
    case 5: return accept(mine.unlink(own));
    default: return accept(sys_sync());
  }
}

TEST(bystanders, share_two_sticks) {
  crowds seen;
  for_each_seed(6, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 64, .slots = 128}, seen,
                       [](two_sticks&, session& process) {
                         in_parallel(6, [&](u32 task) {
                           session mine = process.fork();
                           for (int turn = 0; turn < 6; ++turn) {
                             if (random_chance(3)) drop_clean_buffers(sda);
                             one_turn(mine, task % 3 == 0 ? "/mnt2" : "/mnt", task);
                           }
                         });
                       });
  });
  expect_met(seen, {"inode_lock", "wait_on_buffer", "take"}, "share_two_sticks");
}

// The same while the first stick is pulled and comes back.
TEST(bystanders, wait_for_a_stick) {
  crowds seen;
  for_each_seed(6, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 64, .slots = 256}, seen,
                       [](two_sticks& sticks, session& process) {
                         const fiber hand = spawn("hand", [&] {
                           for (int i = 0; i < 3; ++i) {
                             sleep_for(duration{static_cast<i64>(random_below(20'000'000))});
                             pull_from(sticks.one, sda);
                             sleep_for(2_s);
                             plug_as(sticks.one, sda);
                           }
                         });
                         in_parallel(5, [&](u32 task) {
                           session mine = process.fork();
                           for (int turn = 0; turn < 5; ++turn)
                             one_turn(mine, task == 0 ? "/mnt2" : "/mnt", task);
                         });
                         hand.join();
                       });
  });
  expect_met(seen, {"wait_for_change"}, "wait_for_a_stick");
}

// Two sticks have all the requests that they may; the tasks at them wait for a free one, until they
// go on or one of the two is pulled.
TEST(bystanders, wait_for_a_request) {
  crowds seen;
  for_each_seed(6, [&](u64 seed) {
    in_crowded_machine(
        seed, {.buffers = 400, .slots = 512}, seen, [&](two_sticks& sticks, session& process) {
          EXPECT_OK(process.write("/mnt/large", pattern(200'000, 4)));
          ASSERT_TRUE(process.write("/mnt2/file", pattern(60'000, 1)));
          in_parallel(4, [&](u32 task) {
            session mine = process.fork();
            if (task == 3 && seed % 3) {
              medium& pulled = seed % 3 == 1 ? sticks.one : sticks.two;
              const dev_id disk = seed % 3 == 1 ? sda : sdb;
              sleep_for(20_ms);
              pull_from(pulled, disk);
              sleep_for(1_s);
              plug_as(pulled, disk);
              return;
            }
            accept(task == 0 ? sys_sync() : mine.sync_file("/mnt2/file"));
            accept(mine.write("/mnt2/" + std::to_string(task), pattern(9'000, task)));
            accept(mine.sync_file("/mnt2/" + std::to_string(task)));
          });
        });
  });
  expect_met(seen, {"get_request"}, "wait_for_a_request");
}

// Every buffer is in use; the tasks wait until one is given back.
TEST(bystanders, wait_for_a_buffer) {
  crowds seen;
  for_each_seed(4, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 64}, seen, [](two_sticks&, session&) {
      std::vector<buffer_ref> held;
      for (u32 n = 100; count_buffers().in_use < 64; ++n) {
        result<buffer_ref> each = bread(sda, block_nr{n});
        ASSERT_TRUE(each);
        held.push_back(std::move(*each));
      }
      std::vector<fiber> readers;
      for (u32 n = 0; n < 3; ++n)
        readers.push_back(spawn("reader", [n] { EXPECT_TRUE(byte_of(sda, 300 + n)); }));
      sleep_for(1_s);
      for (const fiber& each : readers) EXPECT_TRUE(each.asleep());
      held.clear();
      const instant begun = now();
      for (const fiber& each : readers) each.join();
      EXPECT_LT(now(), begun + 1_s);
    });
  });
  expect_met(seen, {"make_room"}, "wait_for_a_buffer");
}

// A task that has waited for its writes finds all buffers dirty again: another one filled them
// without a sleep, and is done. No event will come.
TEST(bystanders, dirty_all_buffers_meanwhile) {
  constexpr u32 buffers = 64;
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {.buffers = buffers, .slots = 512}, [](medium&) {
      const instant begun = now();
      in_parallel(2, [](u32 task) {
        for (u32 i = 0; i < 2 * buffers; ++i) EXPECT_TRUE(fill_block(sda, 200 * task + i, 1));
      });
      EXPECT_LT(now(), begun + 2_s);
    });
  });
}

// Every buffer that is not in use is being read ahead, for no task: the end of a read sets it free.
TEST(bystanders, wait_for_a_buffer_that_is_read_ahead) {
  crowds seen;
  for_each_seed(4, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 64}, seen, [](two_sticks& sticks, session&) {
      EXPECT_OK(sys_sync());
      std::vector<buffer_ref> held;
      for (u32 n = 100; count_buffers().in_use < 60; ++n) {
        result<buffer_ref> each = bread(sda, block_nr{n});
        ASSERT_TRUE(each);
        held.push_back(std::move(*each));
      }
      sticks.one.least_latency = sticks.one.most_latency = 500_ms;
      for (u32 n = 200; start_read(sda, block_nr{n}); ++n) ASSERT_LT(n, 210u);
      const instant begun = now();
      in_parallel(3, [](u32 n) { EXPECT_TRUE(byte_of(sdb, 100 + n)); });
      EXPECT_LT(now(), begun + 5_s);
    });
  });
  expect_met(seen, {"make_room"}, "wait_for_a_buffer_that_is_read_ahead");
}

// The whole region is promised to operations that do nothing; each that ends lets another begin at
// once.
TEST(bystanders, wait_for_room) {
  for_each_seed(4, [&](u64 seed) {
    crowds seen;
    in_crowded_machine(seed, {.slots = 128}, seen, [](two_sticks&, session&) {
      u32 begun = 0;
      wait_queue leave;
      u32 may_leave = 0;
      std::vector<fiber> tasks;
      for (u32 n = 0; n < 7; ++n)
        tasks.push_back(spawn("task", [&, n] {
          if (n >= 4) sleep_for(1_ms);
          const auto op = operation::begin(n % 2 ? sda : sdb);
          EXPECT_TRUE(op);
          ++begun;
          while (may_leave < begun) sleep_on(leave);
        }));
      sleep_for(1_s);
      ASSERT_EQ(begun, 4u);
      may_leave = 100;
      wake_up(leave);
      sleep_for(1_ms);
      EXPECT_EQ(begun, 7u);
      for (const fiber& each : tasks) each.join();
    });
  });
}

// A stick that is away holds the region; when its blocks have been written, the tasks at the other
// stick go on.
TEST(bystanders, wait_for_the_room_of_another_stick) {
  for_each_seed(4, [&](u64 seed) {
    crowds seen;
    in_crowded_machine(seed, {.buffers = 400, .slots = 128}, seen,
                       [](two_sticks& sticks, session&) {
                         EXPECT_OK(sys_sync());  // the other stick holds no slot then
                         for (u32 n = 0; n < 40; ++n) ASSERT_TRUE(fill_block(sda, 200 + n, 7));
                         checkpoint::reservation of_others;
                         ASSERT_TRUE(of_others.grant(checkpoint::unreserved() - 20));
                         pull_from(sticks.one, sda);
                         std::vector<fiber> tasks;
                         for (u32 n = 0; n < 2; ++n)
                           tasks.push_back(spawn("task", [n] {
                             const auto first = operation::begin(sdb);
                             EXPECT_TRUE(first);
                             sleep_for(1_ms);
                           }));
                         sleep_for(5_s);
                         for (const fiber& each : tasks) EXPECT_TRUE(each.asleep());
                         plug_as(sticks.one, sda);
                         const instant back = now();
                         for (const fiber& each : tasks) each.join();
                         EXPECT_LT(now(), back + 1_s);
                       });
  });
}

// The stick has lost its cache, so the blocks of the region are written again. Tasks that remove
// the files wait until the stick reads none of these blocks.
TEST(bystanders, wait_to_forget_blocks) {
  crowds seen;
  for_each_seed(4, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 400, .slots = 512}, seen,
                       [](two_sticks& sticks, session& process) {
                         for (const char* name : {"/mnt/0", "/mnt/1"})
                           ASSERT_TRUE(process.write(name, pattern(50'000, 3)));
                         sticks.one.fault = [failed = false](block_command cmd, lba, u32) mutable {
                           if (cmd != block_command::flush || std::exchange(failed, true))
                             return std::optional<error>();
                           return std::optional(error::eio);
                         };
                         const fiber syncer = spawn("syncer", [] { EXPECT_OK(sys_sync()); });
                         while (checkpoint::volume_of(sda)->writing_slots == 0) sleep_for(100_us);
                         in_parallel(2, [&](u32 n) {
                           session mine = process.fork();
                           EXPECT_OK(mine.unlink("/mnt/" + std::to_string(n)));
                         });
                         syncer.join();
                       });
  });
  expect_met(seen, {"checkpoint::forget"}, "wait_to_forget_blocks");
}

// Several tasks look for the same file, by names in two directories, when its inode is not in
// memory.
TEST(bystanders, wait_for_an_inode) {
  crowds seen;
  for_each_seed(4, [&](u64 seed) {
    in_crowded_machine(seed, {.buffers = 200}, seen, [](two_sticks&, session& process) {
      for (u32 n = 0; n < 40; ++n) ASSERT_TRUE(process.write("/mnt/" + std::to_string(n), "x"));
      ASSERT_TRUE(process.mkdir("/mnt/d"));
      ASSERT_TRUE(process.link("/mnt/39", "/mnt/d/39"));
      ASSERT_TRUE(process.umount());
      ASSERT_TRUE(process.mount());
      const opened held(process.context(), "/mnt/d", abi::o_rdonly);
      drop_clean_buffers(sda);
      in_parallel(4, [&](u32 n) {
        session mine = process.fork();
        EXPECT_TRUE(stat_path(mine.context(), n % 2 ? "/mnt/39" : "/mnt/d/39"));
      });
    });
  });
  expect_met(seen, {"find_loaded"}, "wait_for_an_inode");
}

// Two writers and two readers of one pipe.
TEST(bystanders, share_a_pipe) {
  crowds seen;
  for_each_seed(10, [&](u64 seed) {
    world machine({.seed = seed_or(seed), .probe_all = true});
    machine.run([&] {
      boot();
      fs_init();
      auto [from, to] = make_pipe();
      ASSERT_TRUE(from && to);
      file &reading = **from, &writing = **to;
      u32 got = 0, writers = 2;
      in_parallel(4, [&](u32 task) {
        if (task < 2) {
          const std::string text = pattern(9'000, task);
          const auto bytes = std::as_bytes(std::span(text));
          EXPECT_EQ(write_open_file(writing, bytes).value_or(0), 9'000u);
          if (--writers == 0) EXPECT_OK(close_file(writing));
          return;
        }
        std::array<byte, 700> some;
        while (const u32 part = read_open_file(reading, some).value_or(0)) {
          got += part;
          if (random_chance(2)) sleep_for(1_ms);
        }
      });
      EXPECT_EQ(got, 18'000u);
      EXPECT_OK(close_file(reading));
    });
    seen.add(machine);
  });
  expect_met(seen, {"wait_for_peer"}, "share_a_pipe");
}

}  // namespace
}  // namespace sim
