// The buffer cache (fs/buffer.h): sharing, recycling, the two ways of synchronising, errors,
// read-ahead.
#include "fs/buffer.h"

#include <gtest/gtest.h>

#include <optional>

#include "drivers/block/genhd.h"
#include "drivers/block/ramdisk.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "tests/fs/machine.h"

namespace {

using sim::byte_of;
using sim::change_bytes;
using sim::fill_block;
using sim::sda;
using volume_state = checkpoint::volume_state;

constexpr u32 blocks = 2048;
constexpr u32 tiny_cache = 64;  // the smallest there is
constexpr dev_id ram(1, 0);

// Every test runs under both policies.
class buffers : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { policy_under_test = GetParam(); }

 public:
  static inline const char* policy_under_test = "";
};

INSTANTIATE_TEST_SUITE_P(policies, buffers, ::testing::Values("ours", "0.11"),
                         [](const auto& test) {
                           return test.param == std::string_view("0.11") ? "ring_of_0_11" : "ours";
                         });

// A world with one stick plugged in as /dev/sda.
void with_stick(u64 seed, const std::function<void(sim::medium&)>& body,
                sim::boot_options options = {}) {
  options.policy = buffers::policy_under_test;
  sim::medium stick(blocks * SECTORS_PER_BLOCK);
  for (u32 i = 0; i < blocks; ++i) stick.bytes()[i * BLOCK_SIZE] = static_cast<byte>(i);
  sim::run(seed, [&] {
    sim::boot(options);
    sim::plug_as(stick, sda);
    if (::testing::Test::HasFatalFailure()) return;
    body(stick);
    check_buffer_invariants();
    EXPECT_EQ(count_buffers().in_use, 0u) << "a buffer is still held";
  });
}

// The book's breada.
result<buffer_ref> bread_ahead(dev_id dev, block_nr block, std::span<const block_nr> ahead) {
  start_read(dev, block);
  for (block_nr b : ahead) start_read(dev, b);
  return bread(dev, block);
}

TEST_P(buffers, bread_reads_the_block) {
  with_stick(1, [](sim::medium&) {
    EXPECT_EQ(byte_of(sda, 7), 7);
    EXPECT_EQ(byte_of(sda, 255), 255);
  });
}

TEST_P(buffers, everybody_shares_the_one_head_of_a_block) {
  with_stick(1, [](sim::medium& stick) {
    const auto first = bread(sda, block_nr{7});
    const auto second = bread(sda, block_nr{7});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->head(), second->head());
    EXPECT_EQ(first->head()->b_count, 2u);
    EXPECT_EQ(stick.log().back().sectors, SECTORS_PER_BLOCK);
  });
}

TEST_P(buffers, a_block_is_read_once_though_many_want_it_at_once) {
  sim::for_each_seed(20, [](u64 seed) {
    with_stick(seed, [](sim::medium& stick) {
      stick.clear_log();
      sim::in_parallel(8, [](u32) { EXPECT_EQ(byte_of(sda, 9), 9); });
      EXPECT_EQ(stick.log().size(), 1u);
    });
  });
}

TEST_P(buffers, a_block_past_the_end_or_of_no_disk_is_enxio) {
  with_stick(1, [](sim::medium&) {
    EXPECT_EQ(bread(sda, block_nr{blocks}).error(), error::enxio);
    EXPECT_EQ(bread(sda, block_nr{0xFFFFFFFF}).error(), error::enxio);
    EXPECT_EQ(bread(sim::sdb, block_nr{0}).error(), error::enxio);
    EXPECT_EQ(bread(dev_id(8, 1), block_nr{0}).error(), error::enxio);
    EXPECT_EQ(bread(dev_id(77, 1), block_nr{0}).error(), error::enxio);
  });
}

TEST_P(buffers, a_read_error_is_eio_and_is_tried_anew) {
  with_stick(1, [](sim::medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command, lba, u32) {
      return broken ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_EQ(bread(sda, block_nr{5}).error(), error::eio);
    broken = false;
    EXPECT_EQ(byte_of(sda, 5), 5);
  });
}

TEST_P(buffers, a_change_is_dirty_until_it_has_been_written) {
  with_stick(1, [](sim::medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 3, 100, 10, 0xAB));
    EXPECT_EQ(count_buffers().dirty, 1u);
    EXPECT_EQ(byte_of(sda, 3, 105), 0xAB);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    ASSERT_TRUE(sync_dev(sda));
    EXPECT_EQ(count_buffers().dirty, 0u);
    EXPECT_EQ(stick.bytes()[3 * BLOCK_SIZE + 105], byte{0xAB}) << "durable, not only written";
    EXPECT_EQ(stick.bytes()[3 * BLOCK_SIZE], byte{3}) << "the rest of the block is as it was";
  });
}

// Whoever holds a buffer waits with his change until the write of it is over.
TEST_P(buffers, a_buffer_on_its_way_to_the_stick_is_not_changed) {
  with_stick(1, [](sim::medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 7, 0, 10, 1));
    auto buffer = bread(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = sim::spawn("writer", [] { EXPECT_TRUE(write_buffers(sda)); });
    sleep_for(100_ms);
    ASSERT_TRUE(buffer->head()->b_lock);
    EXPECT_TRUE(buffer->modify(*op, 0, 1, [&](std::span<byte> bytes) {
      EXPECT_FALSE(buffer->head()->b_lock);
      bytes[0] = byte{2};
    }));
    writer.join();
  });
}

TEST_P(buffers, contiguous_dirty_blocks_go_out_in_one_command) {
  with_stick(1, [](sim::medium& stick) {
    for (u32 i : {10u, 11u, 12u, 13u, 14u}) ASSERT_TRUE(fill_block(sda, i, 1));
    stick.clear_log();
    ASSERT_TRUE(sync_dev(sda));
    ASSERT_EQ(stick.count(block_command::write), 1u);
    EXPECT_EQ(stick.log()[0].first, lba{20});
    EXPECT_EQ(stick.log()[0].sectors, 10u);
  });
}

TEST_P(buffers, a_look_takes_what_is_there_and_waits_for_nothing) {
  with_stick(1, [](sim::medium& stick) {
    stick.clear_log();
    EXPECT_EQ(peek_block(sda, block_nr{30}), nullptr);
    EXPECT_TRUE(start_read(sda, block_nr{30}));
    EXPECT_EQ(peek_block(sda, block_nr{30}), nullptr) << "on its way";
    EXPECT_EQ(byte_of(sda, 30), 30);
    const byte* const seen = peek_block(sda, block_nr{30});
    ASSERT_NE(seen, nullptr);
    EXPECT_EQ(*seen, byte{30});
    EXPECT_EQ(count_buffers().in_use, 0u);
    EXPECT_EQ(stick.log().size(), 1u);
  });
}

TEST_P(buffers, an_overwritten_block_is_never_read) {
  with_stick(1, [](sim::medium& stick) {
    stick.clear_log();
    ASSERT_TRUE(fill_block(sda, 30, 0x77));
    EXPECT_EQ(byte_of(sda, 30, 1000), 0x77);
    EXPECT_TRUE(stick.log().empty());
  });
}

TEST_P(buffers, read_ahead_really_reads) {
  with_stick(1, [](sim::medium& stick) {
    stick.clear_log();
    const std::array ahead = {block_nr{41}, block_nr{42}, block_nr{43}};
    {
      const auto buffer = bread_ahead(sda, block_nr{40}, ahead);
      ASSERT_TRUE(buffer);
      EXPECT_EQ(buffer->data()[0], byte{40});
    }
    sleep_for(1_s);
    u32 sectors_read = 0;
    for (const auto& command : stick.log()) sectors_read += command.sectors;
    EXPECT_EQ(sectors_read, 4 * SECTORS_PER_BLOCK);
    stick.clear_log();
    for (u32 i : {41u, 42u, 43u}) EXPECT_EQ(byte_of(sda, i), i);
    EXPECT_TRUE(stick.log().empty()) << "they were in the cache";
  });
}

TEST_P(buffers, read_ahead_past_the_end_is_left_out) {
  with_stick(1, [](sim::medium&) {
    const std::array ahead = {block_nr{blocks}, block_nr{0xFFFFFFFF}};
    EXPECT_TRUE(bread_ahead(sda, block_nr{blocks - 1}, ahead));
    sleep_for(1_s);
    EXPECT_EQ(count_buffers().in_use, 0u);
  });
}

TEST_P(buffers, read_ahead_never_writes) {
  with_stick(1,
             [](sim::medium& stick) {
               for (u32 i = 0; i + 1 < tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, 100 + i, 1));
               const block_nr ahead[] = {block_nr{8}, block_nr{9}};
               ASSERT_TRUE(bread_ahead(sda, block_nr{7}, ahead));
               EXPECT_EQ(stick.count(block_command::write), 0u);
             },
             {.buffers = tiny_cache});
}

// Ours gives away what was unused the longest; the book's ring what was claimed first, though it be
// used again and again.
TEST_P(buffers, the_cache_recycles_the_oldest) {
  const bool ring = policy_under_test == std::string_view("0.11");
  const u8 oldest = ring ? 0 : 1, kept = ring ? 1 : 0;
  with_stick(1,
             [&](sim::medium& stick) {
               for (u32 i = 0; i < tiny_cache; ++i) EXPECT_EQ(byte_of(sda, i), static_cast<u8>(i));
               EXPECT_NE(peek_block(sda, block_nr{0}), nullptr);  // used again
               EXPECT_EQ(byte_of(sda, 500), static_cast<u8>(500));
               stick.clear_log();
               EXPECT_EQ(byte_of(sda, kept), kept);
               EXPECT_EQ(byte_of(sda, 2), 2);
               EXPECT_TRUE(stick.log().empty());
               EXPECT_EQ(byte_of(sda, oldest), oldest);
               EXPECT_EQ(stick.log().size(), 1u);
             },
             {.buffers = tiny_cache});
}

// Read-ahead must also reach blocks whose heads an earlier mount has left behind.
TEST_P(buffers, read_ahead_reads_what_was_invalidated) {
  with_stick(1, [](sim::medium& stick) {
    const std::array ahead{block_nr{21}, block_nr{22}, block_nr{23}};
    for (u32 i : {20u, 21u, 22u, 23u}) EXPECT_EQ(byte_of(sda, i), i);
    invalidate_buffers(sda);
    stick.clear_log();
    EXPECT_TRUE(bread_ahead(sda, block_nr{20}, ahead));
    for (u32 i : {21u, 22u, 23u}) EXPECT_EQ(byte_of(sda, i), i);
    EXPECT_EQ(stick.log().size(), 1u);
  });
}

// Way 2 of the book: no buffer is clean, so getblk writes a device itself.
TEST_P(buffers, a_cache_full_of_dirty_blocks_is_written_by_force) {
  with_stick(1,
             [](sim::medium& stick) {
               for (u32 i = 0; i < 3 * tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A));
               EXPECT_GT(stick.count(block_command::write), 0u);
               for (u32 i = 0; i < 3 * tiny_cache; ++i) ASSERT_EQ(byte_of(sda, i, 9), 0x5A);
             },
             {.buffers = tiny_cache});
}

// Several wait for a buffer to become clean, and then want the same block.
TEST_P(buffers, a_block_that_many_waited_for_has_one_head) {
  sim::for_each_seed(10, [](u64 seed) {
    with_stick(seed,
               [](sim::medium&) {
                 for (u32 i = 0; i < tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, 100 + i, 1));
                 buffer_head* heads[4] = {};
                 sim::in_parallel(4, [&](u32 i) {
                   const auto buffer = getblk(sda, block_nr{7});
                   ASSERT_TRUE(buffer);
                   heads[i] = buffer->head();
                   sleep_for(100_ms);
                 });
                 for (const buffer_head* head : heads) EXPECT_EQ(head, heads[0]);
               },
               {.buffers = tiny_cache});
  });
}

TEST_P(buffers, with_every_buffer_in_use_getblk_gives_up_in_time) {
  with_stick(1,
             [](sim::medium&) {
               std::vector<buffer_ref> held;
               for (u32 i = 0; i < tiny_cache; ++i) {
                 auto buffer = bread(sda, block_nr{i});
                 ASSERT_TRUE(buffer);
                 held.push_back(std::move(*buffer));
               }
               EXPECT_EQ(getblk(sda, block_nr{1000}).error(), error::eio);
               auto waiting =
                   sim::spawn("waiting", [] { EXPECT_TRUE(getblk(sda, block_nr{1000})); });
               sleep_for(1_s);
               held.pop_back();
               waiting.join();
               auto interrupted = sim::spawn("interrupted", [] {
                 const buffer_ref first = std::move(*getblk(sda, block_nr{1000}));
                 EXPECT_EQ(getblk(sda, block_nr{1001}).error(), error::eintr);
               });
               sleep_for(1_s);
               interrupted.signal();
               interrupted.join();
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_write_error_stays_until_it_is_told) {
  with_stick(1, [](sim::medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) {
      return broken && cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    EXPECT_EQ(flush_buffers(sda).error(), error::eio);
    EXPECT_EQ(count_buffers().dirty, 1u) << "what could not be written stays dirty";
    EXPECT_EQ(byte_of(sda, 4), 0x44);
    EXPECT_FALSE(sync_dev(sda));
    broken = false;
    EXPECT_TRUE(flush_buffers(sda));
    EXPECT_TRUE(take_write_error(sda)) << "sync_dev has told it already";
    EXPECT_TRUE(sim::block_is(stick.durable(), 4, 0x44));
    EXPECT_TRUE(sync_dev(sda));
  });
}

// An error that nobody was there to see: way 2 met it, the next sync tells it, once.
TEST_P(buffers, an_error_of_the_forced_write_reaches_the_next_sync) {
  with_stick(1,
             [](sim::medium& stick) {
               int failures = 1;
               stick.fault = [&](block_command cmd, lba, u32) {
                 return cmd == block_command::write && failures-- > 0 ? std::optional(error::eio)
                                                                      : std::nullopt;
               };
               for (u32 i = 0; i < 3 * tiny_cache; ++i) (void)fill_block(sda, i, 0x5A);
               EXPECT_LE(failures, 0);
               EXPECT_EQ(sys_sync().error(), error::eio);
               EXPECT_TRUE(sys_sync());
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_disk_that_refuses_its_blocks_does_not_starve_another) {
  sim::medium other(2048, "OTHER");
  with_stick(1,
             [&](sim::medium& stick) {
               other.plug();
               sleep_for(1_s);
               bool broken = true;
               stick.fault = [&](block_command cmd, lba, u32) {
                 return broken && cmd == block_command::write ? std::optional(error::eio)
                                                              : std::nullopt;
               };
               const dev_id sdb(MAJOR_DISK, MINORS_PER_DISK);
               const u32 most = tiny_cache * 3 / 4;
               for (u32 i = 0; i < most; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A));
               for (u32 i = 0; i < tiny_cache; ++i) ASSERT_TRUE(fill_block(sdb, i, 0xA5)) << i;
               broken = false;
               (void)sys_sync();  // tells the errors
               EXPECT_TRUE(sys_sync());
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_failed_flush_is_no_success_of_sync) {
  with_stick(1, [](sim::medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) {
      return broken && cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    EXPECT_EQ(sync_dev(sda).error(), error::eio);
    broken = false;
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_TRUE(sim::block_is(stick.durable(), 4, 0x44));
  });
}

TEST_P(buffers, a_freed_block_is_not_written) {
  with_stick(1, [](sim::medium& stick) {
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    forget_block(sda, block_nr{4});
    ASSERT_TRUE(sync_dev(sda));
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(byte_of(sda, 4), 4);
  });
}

TEST_P(buffers, invalidated_buffers_are_read_again) {
  with_stick(1, [](sim::medium& stick) {
    EXPECT_EQ(byte_of(sda, 4), 4);
    invalidate_buffers(sda);
    stick.bytes()[4 * BLOCK_SIZE] = byte{0x99};
    EXPECT_EQ(byte_of(sda, 4), 0x99);
  });
}

TEST_P(buffers, the_ram_disk_needs_no_shadows) {
  sim::run(1, [] {
    sim::boot({.policy = policy_under_test});
    rd_init(allocate_pages(16));
    ASSERT_TRUE(fill_block(ram, 5, 0x55));
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(count_buffers().dirty, 0u);
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
    invalidate_buffers(ram);
    EXPECT_EQ(byte_of(ram, 5), 0x55);
  });
}

TEST_P(buffers, sync_waits_for_what_others_dirty_only_so_far) {
  with_stick(7, [](sim::medium&) {
    bool stop = false;
    auto writer = sim::spawn("writer", [&] {
      for (u32 i = 0; !stop; ++i) {
        EXPECT_TRUE(fill_block(sda, i % 50, static_cast<u8>(i)));
        sleep_for(100_us);
      }
    });
    sleep_for(10_ms);
    const instant before = now();
    EXPECT_TRUE(sys_sync());
    EXPECT_LT((now() - before).milliseconds(), 10'000);
    stop = true;
    writer.join();
  });
}

// Many fibers do anything, the invariants are looked at after every step, and in the end the medium
// holds what was written last.
void random_operations(u64 seed, u32 buffers) {
  constexpr u32 used_blocks = 150;
  std::array<u8, used_blocks> model{};
  with_stick(
      seed,
      [&](sim::medium& stick) {
        sim::in_parallel(5, [&](u32 part) {
          for (int i = 0; i < 60; ++i) {
            const u32 number = static_cast<u32>(sim::random_below(used_blocks / 5)) * 5 + part;
            const u8 value = static_cast<u8>(1 + sim::random_below(255));
            switch (sim::random_below(8)) {
              case 0: EXPECT_TRUE(sys_sync()); break;
              case 1: EXPECT_TRUE(flush_buffers(sda)); break;
              case 2: EXPECT_TRUE(bread(sda, block_nr{1000 + number})); break;
              case 3: {
                const std::array ahead = {block_nr{number + 1}, block_nr{number + 2}};
                EXPECT_TRUE(bread_ahead(sda, block_nr{number}, ahead));
                break;
              }
              case 4:
                EXPECT_TRUE(!model[number] || byte_of(sda, number, 700) == model[number]);
                break;
              default: EXPECT_TRUE(fill_block(sda, number, value)); model[number] = value;
            }
            check_buffer_invariants();
          }
        });
        EXPECT_TRUE(sync_dev(sda));
        for (u32 i = 0; i < used_blocks; ++i)
          EXPECT_TRUE(!model[i] || sim::block_is(stick.durable(), i, model[i])) << "block " << i;
        EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size()) << "a shadow is left";
      },
      {.buffers = buffers, .slots = 256});
}

TEST_P(buffers, random_operations_with_room) {
  sim::for_each_seed(25, [](u64 seed) { random_operations(seed, 512); });
}
TEST_P(buffers, random_operations_in_a_tiny_cache) {
  sim::for_each_seed(25, [](u64 seed) { random_operations(seed, tiny_cache); });
}

}  // namespace
