// A kernel booted up to the file system, for the tests of fs/: main.cc's wiring without processes.
#pragma once

#include <string>

#include "fs/buffer/buffer.h"
#include "fs/checkpoint/volume.h"
#include "lib/ids.h"
#include "lib/time.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace sim {

struct boot_options {
  u32 buffers = 64;
  u32 slots = 256;
  duration hold = 300_s;
  duration io_wait = 30_s;
  std::string_view policy = {};  // of the buffer cache
};

constexpr dev_id sda(8, 0);
constexpr dev_id sdb(8, 16);

// Sets up cache, region and the task replugd. Inside a world, once.
void boot(const boot_options& options = {});

// Sleeps until the disk's volume is in this state; fails the test after two simulated minutes.
void await_state(dev_id disk, checkpoint::volume_state state);
checkpoint::volume_state state_of(dev_id disk);  // none when there is no such volume
bool is_plugged_in(dev_id disk);                 // live or degraded

// Plugs the stick in and waits until it is live under this name.
void plug_as(medium& stick, dev_id disk);
// Pulls it and waits until the kernel has noticed.
void pull_from(medium& stick, dev_id disk, pull_style style = {});

// One operation that fills a whole block with one value, without reading it first; or one that
// reads it and changes some bytes.
result<void> fill_block(dev_id dev, u32 block, u8 value, ino_nr owner = {},
                        std::string_view path = {});
result<void> change_bytes(dev_id dev, u32 block, u32 offset, u32 length, u8 value);
// The byte at `offset` as bread gives it.
result<u8> byte_of(dev_id dev, u32 block, u32 offset = 0);

bool block_is(std::span<const byte> image, u32 block, u8 value);
bool said(const std::string& text);  // on the console of this world

const char* name_of(checkpoint::volume_state state);

}  // namespace sim
