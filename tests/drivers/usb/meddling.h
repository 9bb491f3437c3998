// Answers of a fake stick that are spoiled.
#pragma once

#include <functional>
#include <utility>

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

constexpr void (*phase_error)(fake_stick::answer&) = [](fake_stick::answer& a) { a.status = 2; };

}  // namespace usb::storage
