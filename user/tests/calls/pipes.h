// pipes: one step makes a pipe of its own, fills it, empties it and closes its ends.
//
// Linux counts pages and we bytes: with part of a page read, a page is not filled again there. So
// each write is either sure to fit, or the pipe is full, or it is empty and the write is greater
// than all of it.
#pragma once

#include <signal.h>

#include "user/tests/calls/files.h"

class pipe_play {
 public:
  void run() {
    if (say(raw_system_call(syscall::pipe, to_register(ends_)), "pipe of its own") != 0) return;
    constexpr long linux_set_pipe_size = 1031;
    raw_system_call(syscall::fcntl, ends_[1], linux_set_pipe_size, SIZE);  // ours has this size
    for (const int end : ends_) raw_system_call(syscall::fcntl, end, F_SETFL, abi::o_nonblock);
    const uint32_t moves = 4 + roll.below(8);
    for (uint32_t i = 0; i < moves; ++i) move();
    for (const int end : ends_) raw_system_call(syscall::close, end);
  }

 private:
  static constexpr uint32_t SIZE = 4096;

  void move() {
    switch (roll.below(10)) {
      case 0: return close_end();
      case 1:
      case 2:
      case 3:
      case 4: return write_some();
      case 5: return overfill();
      default: return read_some();
    }
  }

  void close_end() {
    const uint32_t which = roll.below(2);
    open_[which] = false;
    say(raw_system_call(syscall::close, ends_[which]), "close %s end", which ? "write" : "read");
  }

  // A write that fits behind what was written since the pipe was empty.
  void write_some() {
    constexpr uint32_t counts[] = {0, 1, 10, 100, 1000, 2000, 4095, 4096};
    const uint32_t count = roll.one_of(counts);
    if (end_ == start_) end_ = start_ = 0;
    const bool full = end_ - start_ == SIZE;
    if (end_ + count > SIZE && !full) return;
    put(count, full ? 0 : count);
  }

  // More than the pipe takes: into an empty one a part goes, into a full one nothing.
  void overfill() {
    const bool empty = end_ == start_, full = end_ - start_ == SIZE;
    if (!empty && !full) return;
    if (empty) end_ = start_ = 0;
    constexpr uint32_t counts[] = {4097, 5000, 8192, 10000};
    put(roll.one_of(counts), empty ? SIZE : 0);
  }

  void put(uint32_t count, uint32_t goes) {
    fill_pattern(count);
    say(raw_system_call(syscall::write, ends_[1], to_register(memory), to_register(count)),
        "write %u to the pipe", count);
    if (open_[0] && open_[1]) end_ += goes;
  }

  void read_some() {
    constexpr uint32_t counts[] = {0, 1, 10, 1000, 4095, 4096, 4097, 10000};
    const uint32_t count = roll.one_of(counts);
    memset(memory, 0xA5, sizeof memory);
    const long answer =
        raw_system_call(syscall::read, ends_[0], to_register(memory), to_register(count));
    say_memory(answer, memory, count, "read %u from the pipe", count);
    if (answer > 0) start_ += static_cast<uint32_t>(answer);
  }

  int ends_[2];
  bool open_[2] = {true, true};
  uint32_t start_ = 0, end_ = 0;  // of what is in it
};

inline void step_pipe_play() { pipe_play().run(); }
