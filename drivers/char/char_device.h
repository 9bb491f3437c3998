// Character devices: which functions read and write a special file, by device number.
#pragma once

#include <span>

#include "lib/ids.h"
#include "lib/result.h"

// What the pointer of an ioctl command points to.
struct ioctl_argument {
  u32 size = 0;            // in bytes; 0: it is no pointer
  bool is_result = false;  // the command writes it, so it must be writable
  bool operator==(const ioctl_argument&) const = default;
};

struct char_device {
  // All may sleep; a signal ends the sleep (eintr). `position` is the file's offset, for devices
  // that use one. `flags` are the file's: with o_nonblock nothing is waited for (eagain). For a
  // null member: a read returns 0 bytes, a write accepts everything, an ioctl gives enotty.
  result<u32> (*read)(u8 minor, std::span<byte> to, u32 position, u32 flags) = nullptr;
  result<u32> (*write)(u8 minor, std::span<const byte> from, u32 position, u32 flags) = nullptr;
  // `argument` is the user's memory behind the pointer, already checked; its size is the command's.
  result<u32> (*ioctl)(u8 minor, u32 command, std::span<byte> argument) = nullptr;
  // Never sleeps. Null: no command has an argument.
  ioctl_argument (*argument_of)(u32 command) = nullptr;
  // Whether there is a device with this minor number; null: with every one. The other members are
  // called for those only. Never sleeps.
  bool (*has)(u8 minor) = nullptr;
};

// Registers the devices of one major number. The object must live for ever.
void register_char_device(u8 major, const char_device& device);
// Errors: enxio when there is no such major or minor number.
result<const char_device*> find_char_device(dev_id dev);
