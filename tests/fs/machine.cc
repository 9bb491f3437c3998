#include "tests/fs/machine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "drivers/char/info_device.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/settings.h"
#include "fs/replug/info_files.h"
#include "fs/replug/replugd.h"
#include "hal/clock.h"
#include "tests/sim/audit.h"
#include "tests/sim/memory.h"

namespace sim {

void boot(const boot_options& options) {
  const kept_memory for_ever;
  info_init();
  checkpoint::current_settings() = {options.hold, options.io_wait};
  buffer_init(options.buffers, find_buffer_policy(options.policy));
  checkpoint::init(options.slots);
  replugd_init();
  checkpoint::info_files_init();
  let_tasks_begin();
}

checkpoint::volume_state state_of(dev_id disk) {
  const checkpoint::volume* v = checkpoint::volume_of(disk);
  return v ? v->state : checkpoint::volume_state::none;
}

const char* name_of(checkpoint::volume_state state) {
  constexpr const char* names[] = {"none",   "live",   "degraded", "absent",
                                   "verify", "replay", "conflict", "dead"};
  return names[static_cast<u8>(state)];
}

void await_state(dev_id disk, checkpoint::volume_state state) {
  const instant deadline = now() + 120_s;
  while (state_of(disk) != state && now() < deadline) sleep_for(1_ms);
  ASSERT_STREQ(name_of(state_of(disk)), name_of(state));
}

bool is_plugged_in(dev_id disk) {
  const checkpoint::volume* v = checkpoint::volume_of(disk);
  return v && has_device(*v);
}

void plug_as(medium& stick, dev_id disk) {
  stick.plug();
  await_state(disk, checkpoint::volume_state::live);
}

void pull_from(medium& stick, dev_id disk, pull_style style) {
  stick.pull(style);
  const instant deadline = now() + 1_s;
  while (is_plugged_in(disk) && now() < deadline) sleep_for(100_us);
  ASSERT_FALSE(is_plugged_in(disk));
}

result<void> fill_block(dev_id dev, u32 block, u8 value, ino_nr owner, std::string_view path) {
  return checkpoint::at_the_door([&]() -> result<void> {
    operation op = TRY(operation::begin(dev));
    checkpoint::noted_path noted;
    std::ranges::copy(path, noted.text.begin());
    if (owner != ino_nr{}) op.about(owner, noted);
    buffer_ref buffer = TRY(getblk(dev, block_nr{block}));
    return buffer.overwrite(op,
                            [&](std::span<byte> bytes) { std::ranges::fill(bytes, byte{value}); });
  });
}

result<void> change_bytes(dev_id dev, u32 block, u32 offset, u32 length, u8 value) {
  return checkpoint::at_the_door([&]() -> result<void> {
    operation op = TRY(operation::begin(dev));
    buffer_ref buffer = TRY(bread(dev, block_nr{block}));
    return buffer.modify(op, offset, length,
                         [&](std::span<byte> bytes) { std::ranges::fill(bytes, byte{value}); });
  });
}

result<u8> byte_of(dev_id dev, u32 block, u32 offset) {
  return checkpoint::at_the_door([&]() -> result<u8> {
    const buffer_ref buffer = TRY(bread(dev, block_nr{block}));
    return static_cast<u8>(buffer.data()[offset]);
  });
}

bool block_is(std::span<const byte> image, u32 block, u8 value) {
  const auto bytes = image.subspan(size_t{block} * BLOCK_SIZE, BLOCK_SIZE);
  return std::ranges::all_of(bytes, [&](byte b) { return b == byte{value}; });
}

bool said(const std::string& text) { return here().console().find(text) != std::string::npos; }

}  // namespace sim
