// usb_disk: a medium in a USB mass storage device, as the block layer sees it.
//
// - A request that fails is done again block by block: only the blocks that fail alone have failed.
//   A disk that tells no reason, or that hangs, may mean one block of many; one that fails on large
//   requests only may have no bad block at all.
// - A request for which the device needs time (02/04) is tried again. Meanwhile the other units of
//   the device have their turn. The device has half a minute; another half only after a success, or
//   when it has not needed time for a minute.
//   Then the plug ends: no request is an error by that, as the layers above hold what was to be
//   written, and write it when the medium has arrived anew.
//
// One usb_disk is one plug (block_device.h). It begins when the medium is ready. It ends when the
// device is pulled, when the medium is taken out or changed, when the device has reset itself, or
// when it is not ready for too long; then the next plug may begin with the same device. unit.h is
// about that.
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

  // Carries out the next request, or the next part of the one in hand. Sleeps. False if there is
  // nothing to do before next_try(). Afterwards gone() tells whether the plug has ended.
  bool carry_out_next();
  // When the request in hand is tried again; never if there is none.
  instant next_try() const { return in_hand_ ? again_ : never; }
  // The plug has ended (block_device::die), also for the request in hand. Never sleeps.
  void end();

 private:
  void request_fn() override;
  result<void> carry_out(request& r);
  void settle(request& r, result<void> outcome);
  u32 sectors_at_once(const request& r) const {
    return block_by_block_ ? SECTORS_PER_BLOCK : r.nr_sectors;
  }
  bool has_time(const request& r);
  bool is_kept(const request& r, const result<void>& outcome);
  void print_arrival(const disk_facts& facts) const;

  scsi_disk& disk_;
  segment_list& segments_;
  // A request that is not over: the device needs time, or it is done block by block.
  request* in_hand_ = nullptr;
  bool block_by_block_ = false;
  instant again_{};  // when it is tried again; instant{}: at once, without a look at the clock
  instant busy_since_ = never;  // the device needs time, and no request has succeeded since
  instant last_busy_{};         // when it said so the last time
};

}  // namespace usb::storage
