#include "tests/fs/buffer/buffers.h"

#include "fs/buffer/buffer_table.h"

using sim::sda;

void with_stick(u64 seed, const std::function<void(sim::medium&)>& body,
                sim::boot_options options) {
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

result<buffer_ref> bread_ahead(dev_id dev, block_nr block, std::span<const block_nr> ahead) {
  start_read(dev, block);
  for (block_nr b : ahead) start_read(dev, b);
  return bread(dev, block);
}
