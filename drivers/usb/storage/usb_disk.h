// usb_disk: a medium in a USB mass storage device, as the block layer sees it; and the task that
// serves the device.
//
// One usb_disk is one plug (block_device.h). It begins when the medium is ready. It ends when the
// device is pulled, when the medium is changed, or when the device has reset itself; in the last
// two cases the next plug begins at once, with the same device.
#pragma once

#include <array>

#include "drivers/block/block_device.h"
#include "drivers/usb/core.h"
#include "drivers/usb/storage/bot.h"
#include "drivers/usb/storage/scsi.h"

namespace usb::storage {

// At most 1 MiB at SuperSpeed and 120 KiB at lower speeds, as in Linux: some devices fail on more.
constexpr u32 max_sectors_super_speed = 2048, max_sectors_high_speed = 240;
using segment_list = std::array<dma_segment, max_transfer_pieces>;

// For the core's table of class drivers.
bool matches(const interface_info& interface);
void serve(host_device& device, const interface_info& interface);

// The driver's object for a device, from plug to pull; it is placed in host_device::memory.
struct session {
  session(host_device& device, const interface_info& interface) : carrier(device, interface) {}
  bulk_only carrier;
  scsi_disk disk{carrier};
  segment_list segments{};
};
constexpr u32 object_size = sizeof(session);

// Lists where a request's blocks are in memory. Blocks that follow each other are one segment, so
// there are at most as many segments as the request has pieces. Returns the used part of `list`.
std::span<const dma_segment> list_segments(request& r, segment_list& list);

class usb_disk final : public block_device {
 public:
  usb_disk(scsi_disk& disk, const disk_facts& facts, segment_list& segments);

  // Announces the medium, carries out its requests until the plug ends, announces its end, and
  // waits until no reference is held. Sleeps.
  void work();

 private:
  void request_fn() override;
  bool idle();
  result<void> carry_out(request& r);
  void print_arrival(const disk_facts& facts) const;

  scsi_disk& disk_;
  segment_list& segments_;
  bool removable_medium_;  // as in a card reader: the device is asked every second if it is there
};

}  // namespace usb::storage
