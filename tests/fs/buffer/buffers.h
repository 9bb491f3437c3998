// For tests of the buffer cache: each runs under both policies, with one stick as /dev/sda.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "fs/buffer/buffer.h"
#include "tests/fs/machine.h"

constexpr u32 blocks = 2048;
constexpr u32 tiny_cache = 64;  // the smallest there is

class buffers : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { policy_under_test = GetParam(); }

 public:
  static inline const char* policy_under_test = "";
};

// A world with the stick; each block begins with the low byte of its number.
void with_stick(u64 seed, const std::function<void(sim::medium&)>& body,
                sim::boot_options options = {});

// The book's breada.
result<buffer_ref> bread_ahead(dev_id dev, block_nr block, std::span<const block_nr> ahead);
