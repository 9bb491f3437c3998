// The calls whose n-th allocation, read, write … is made to fail (nth_fault_sweep_test.cc).
#pragma once

#include <span>

#include "tests/fs/session.h"

namespace sim {

// A call on the prepared stick, which is mounted on /mnt, with nothing of it in the cache. After an
// error the same call is made again, and must succeed then.
struct nth_call {
  const char* name;
  result<void> (*make)(session& process);
  // What must be true when it has succeeded; null: nothing more than a sound file system.
  bool (*is_done)(session& process) = nullptr;
  bool mounted = true;  // before the call
};

std::span<const nth_call> nth_calls();
// A stick with these: /dir/inner, /dir/sub (an empty directory), /file (indirect zones), /small;
// /dir has other names of `inner`, so that its last block is full; /filler, an empty file that no
// call uses.
const std::vector<byte>& nth_image();
constexpr u32 nth_blocks = 400;
constexpr const char* nth_filler = "/mnt/filler";

}  // namespace sim
