// Answers of a fake stick that are spoiled.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"

namespace usb::storage {

using sim::fake_stick;

using meddling = std::function<void(const command_block_wrapper&, fake_stick::answer&)>;

inline void take_media(fake_stick& stick) { stick.disk.removable_medium = true; }

// What the next answer of this command is, in this way.
inline meddling spoil_once(u8 opcode, void (*how)(fake_stick::answer&)) {
  return [=, done = false](const command_block_wrapper& cbw, fake_stick::answer& a) mutable {
    if (cbw.cdb[0] == opcode && !std::exchange(done, true)) how(a);
  };
}

// A new card is in the slot, and the reader tells it.
inline void exchange(sim::scsi_target& slot) { slot.failures.assign(1, {6, 0x28, 0}); }

// There is no card in the slot for this time.
inline void stay_empty(sim::scsi_target& slot, duration time) {
  slot.never_succeeds[sim::test_unit_ready] = {2, 0x3A, 0};
  sleep_for(time);
  slot.never_succeeds.erase(sim::test_unit_ready);
  exchange(slot);
}

// A command ends so many plugs, one after another.
inline void end_plugs(sim::served_stick& s, u32 plugs, block_command cmd, u32 sector) {
  sim::dma_block block;
  for (u32 plug = 1; plug <= plugs; ++plug) {
    ASSERT_TRUE(s.await_arrival());
    block_device& disk = *s.current;
    const device_reference over_the_sleep(disk);
    static_cast<void>(block.move(disk, cmd, sector));
    sleep_for(1_ms);
  }
}

constexpr void (*phase_error)(fake_stick::answer&) = [](fake_stick::answer& a) { a.status = 2; };

}  // namespace usb::storage
