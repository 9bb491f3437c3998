// The buffer cache under random operations of many tasks (fs/buffer/buffer.h).
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/buffer/buffers.h"

namespace {

using namespace sim;

// Many fibers do random operations; the invariants are checked after every step, and in the end the
// medium must hold what was written last.
void random_operations(u64 seed, u32 buffers) {
  constexpr u32 used_blocks = 150;
  std::array<u8, used_blocks> model{};
  with_stick(seed,
             [&](medium& stick) {
               in_parallel(5, [&](u32 part) {
                 for (int i = 0; i < 60; ++i) {
                   const u32 number = static_cast<u32>(random_below(used_blocks / 5)) * 5 + part;
                   const u8 value = static_cast<u8>(1 + random_below(255));
                   switch (random_below(8)) {
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
                 EXPECT_TRUE(!model[i] || block_is(stick.durable(), i, model[i])) << "block " << i;
               EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size()) << "a shadow is left";
             },
             {.buffers = buffers, .slots = 256});
}

TEST_P(buffers, random_operations_with_room) {
  for_each_seed(25, [](u64 seed) { random_operations(seed, 512); });
}
TEST_P(buffers, random_operations_in_a_tiny_cache) {
  for_each_seed(25, [](u64 seed) { random_operations(seed, tiny_cache); });
}

}  // namespace
