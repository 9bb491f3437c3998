// The interface between SCSI commands (scsi.h) and what carries them over USB: Bulk-Only Transport
// (bot.h); UAS is to be added beside it.
//
// A transport belongs to one device and carries the commands of all its logical units, one at a
// time. It knows nothing of what a command means; what it needs to know stands in scsi_command.
#pragma once

#include <array>
#include <span>

#include "drivers/usb/core.h"
#include "hal/dma.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace usb::storage {

// The direction of a command's data.
enum class direction : u8 { none, in, out };

struct scsi_command {
  u8 unit = 0;
  std::array<u8, 16> cdb{};
  u8 cdb_length = 0;
  lba first{};  // the sectors that it moves; none unless it is a READ or WRITE
  u32 sectors = 0;
  direction data = direction::none;
  std::span<const dma_segment> segments;
  u32 length = 0;  // of all segments
  // IN: what the data begin with, in the kernel's memory.
  std::span<const byte> head{};
  // IN: a device that succeeds has at least so many bytes to give.
  u32 least = 0;
  duration timeout = 5_s;
};

// The outcome of a command that was carried to its end.
struct command_reply {
  bool failed = false;  // CHECK CONDITION
  u32 actual = 0;       // the number of bytes that were moved and count
  // Of a failed command: why (SPC-4, 4.5), until the next command. Empty: the device does not tell,
  // or its answer was lost.
  std::span<const byte> sense{};
};

class transport {
 public:
  explicit transport(host_device& device) : device_(device), memory_(device.memory.page) {}
  virtual ~transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  // Carries out one command. Sleeps, at most for the command's timeout and the recovery. Errors:
  // eio or etimedout (the transport failed, the device has been reset, and the command may or may
  // not have been executed), enomem (there is no room for the command; it was not sent), enodev.
  virtual result<command_reply> execute(const scsi_command& command) = 0;
  // How many logical units the device has, 1 to 16. Sleeps. A device that does not tell has one.
  virtual u8 count_units() = 0;

  // How many times the transport has failed and the device was reset. Each time all units may have
  // lost their write caches.
  u32 resets() const { return resets_; }

  // Memory for small data. The next command that uses it overwrites it.
  std::span<byte> scratch() const { return memory_.bytes().subspan(scratch_offset); }
  dma_segment scratch_segment(u32 length) const {
    return {memory_.address() + scratch_offset, length};
  }
  host_device& device() const { return device_; }

  // Sleeps for `time`. A pull ends it.
  void pause(duration time);

 protected:
  static constexpr u32 scratch_offset = 512;

  host_device& device_;
  u32 resets_ = 0;
  const dma_buffer& memory_;  // up to scratch_offset it is the transport's own
};

}  // namespace usb::storage
