// usb_disk: a medium in a USB mass storage device, as the block layer sees it; and the task that
// serves the device.
//
// One usb_disk is one plug (block_device.h). It begins when the medium is ready, and ends when the
// device is pulled, the medium is changed, or the device has reset itself; in the latter cases the
// next plug follows at once, over the same device.
#pragma once

#include <array>

#include "drivers/block/block_device.h"
#include "drivers/usb/core.h"
#include "drivers/usb/storage/scsi.h"

namespace usb::storage {

// Up to 1 MiB at SuperSpeed, 120 KiB below, as in Linux: more than that, some devices do not stand.
constexpr u32 max_sectors_super_speed = 2048, max_sectors_high_speed = 240;
using segment_list = std::array<dma_segment, max_transfer_pieces>;

// For the core's table of class drivers.
bool matches(const interface_info& interface);
void serve(host_device& device, const interface_info& interface);

// What a device needs for as long as it is plugged in; it stands in host_device::memory.
struct session {
  session(host_device& device, const interface_info& interface) : disk(device, interface) {}
  scsi_disk disk;
  segment_list segments{};
};
constexpr u32 object_size = sizeof(session);

// Where a request's blocks stand in memory, neighbours joined: at most as many segments as it has
// pieces. Returns the part of `list` used.
std::span<const dma_segment> list_segments(request& r, segment_list& list);

class usb_disk final : public block_device {
 public:
  usb_disk(scsi_disk& disk, const disk_facts& facts, segment_list& segments);

  // Announces the medium, carries out its requests until the plug ends, and takes leave of
  // everybody who knew it. Sleeps.
  void work();

 private:
  void request_fn() override;
  bool idle();
  result<void> carry_out(request& r);
  void print_arrival(const disk_facts& facts) const;

  scsi_disk& disk_;
  segment_list& segments_;
  bool removable_medium_;  // a card reader's: asked now and then whether it is still there
};

}  // namespace usb::storage
