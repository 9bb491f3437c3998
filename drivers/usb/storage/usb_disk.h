// usb_disk: a medium in a USB mass storage device, as the block layer sees it.
//
// One usb_disk is one plug (block_device.h). It begins when the medium is ready. It ends when the
// device is pulled, when the medium is taken out or changed, or when the device has reset itself;
// then the next plug may begin with the same device. unit.h is about that.
#pragma once

#include <array>

#include "drivers/block/block_device.h"
#include "drivers/usb/core.h"
#include "drivers/usb/storage/scsi.h"

namespace usb::storage {

// At most 1 MiB at SuperSpeed and 120 KiB at lower speeds, as in Linux: some devices fail on more.
constexpr u32 max_sectors_super_speed = 2048, max_sectors_high_speed = 240;
using segment_list = std::array<dma_segment, max_transfer_pieces>;

// Lists where a request's blocks are in memory. Blocks that follow each other are one segment, so
// there are at most as many segments as the request has pieces. Returns the used part of `list`.
std::span<const dma_segment> list_segments(request& r, segment_list& list);

class usb_disk final : public block_device {
 public:
  usb_disk(scsi_disk& disk, const disk_facts& facts, segment_list& segments);

  // Carries out the next request. Sleeps. False if there is none. Afterwards gone() tells whether
  // the plug has ended.
  bool carry_out_next();

 private:
  void request_fn() override;
  result<void> carry_out(request& r);
  void print_arrival(const disk_facts& facts) const;

  scsi_disk& disk_;
  segment_list& segments_;
};

}  // namespace usb::storage
