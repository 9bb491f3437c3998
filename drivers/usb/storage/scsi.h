// SCSI commands for a disk (SPC-4, SBC-3) over Bulk-Only Transport, and what to do when one fails.
//
// A failed command is followed at once by REQUEST SENSE; `verdict` says what its answer means here.
//
// Two of the answers end the plug, as if the stick had been pulled and come back: the medium was
// changed or taken out, and the device was reset by itself (06/29). The caller tells the upper
// layers by a new arrival, and they verify the medium's content as after every other pull.
//
// Three events put completed writes in doubt, because the device may have dropped them from its
// write cache; the writes must be made again before a flush can prove them durable:
// - SYNCHRONIZE CACHE fails, in whatever way. It is not tried again here: the second one would
//   succeed, for the device has nothing left to write.
// - A deferred error (SPC-4, 4.5.5): an earlier command, which had succeeded, has failed after all.
// - The device is reset by us, after a failure of the transport.
#pragma once

#include <span>
#include <utility>

#include "drivers/usb/storage/bot.h"
#include "lib/ids.h"

namespace usb::storage {

struct sense {
  u8 key = 0, asc = 0, ascq = 0;
  bool deferred = false;  // it is about an earlier command
};
// Fixed (70h; deferred 71h) and descriptor format (72h; deferred 73h). Key 0 for what is neither.
sense parse_sense(std::span<const byte> data);

enum class verdict : u8 {
  retry,           // it failed; may well work the next time
  attention,       // it was not executed because the device had news; nothing has failed
  deferred,        // it was not executed because an earlier command has failed
  becoming_ready,  // wait a little
  reset,           // unit attention: reset or power-on; the volatile cache may be lost
  medium_changed,  // unit attention
  no_medium,
  write_protected,
  not_supported,  // the device does not know this command
  out_of_range,
  failed,
};
verdict judge(const sense& s);

struct standard_inquiry {
  u8 device_type, removable, version, format, additional_length, flags[3];
  std::array<byte, 8> vendor;
  std::array<byte, 16> product;
  std::array<byte, 4> revision;
};
static_assert(sizeof(standard_inquiry) == 36);

struct capacity_reply {
  be32 last_lba, block_size;
};
static_assert(sizeof(capacity_reply) == 8);

// What a disk is, as far as SCSI tells.
struct disk_facts {
  std::array<char, 9> vendor{};
  std::array<char, 17> product{};
  bool removable_medium = false;
  u32 sectors = 0;  // of 512 bytes
  bool write_protected = false;
  bool write_cache = true;  // where the device does not tell, it may have one
};

// MODE SENSE(6) with the caching page. False when the answer makes no sense.
bool parse_mode_sense(std::span<const byte> data, disk_facts& to);

scsi_command read_write_10(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments);

class scsi_disk {
 public:
  scsi_disk(host_device& device, const interface_info& interface) : transport_(device, interface) {}
  bool has_endpoints() const { return transport_.has_endpoints(); }
  host_device& device() const { return transport_.device(); }

  // From power-on to ready for reading and writing. Sleeps. Errors: enomedium (ask again later),
  // enotsup for a disk that we cannot use, eio, enodev.
  result<disk_facts> make_ready();

  // Errors of these three: enomedium (the plug has ended, see above), erofs, eio, enodev, enomem
  // (the command was not sent). Transient failures are retried. All sleep.
  result<void> read_write(bool write, lba first, u32 sectors,
                          std::span<const dma_segment> segments);
  // Success: durable. A device that does not know the command has no cache to flush.
  result<void> synchronize_cache();
  result<void> test_ready();

  // Whether writes that have completed since the last flush may be lost (see above). Tells it once.
  bool take_cache_doubt() { return std::exchange(cache_doubt_, false); }

 private:
  // A unit attention is expected while the disk is being made ready, and ends the plug afterwards.
  enum class phase : u8 { getting_ready, in_use };

  // Whether a command that was executed and failed is tried again.
  enum class after_failure : u8 { try_again, give_up };

  result<u32> run(const scsi_command& command, after_failure what = after_failure::try_again);
  result<command_reply> send(const scsi_command& command);
  result<verdict> ask_what_failed();
  scsi_command small_in(std::initializer_list<u8> cdb, u32 length) const;
  result<void> inquire(disk_facts& to);
  result<void> wait_until_ready();
  result<void> read_capacity(disk_facts& to);
  result<void> check_last_sector(disk_facts& to);
  result<void> read_modes(disk_facts& to);

  bulk_only transport_;
  phase phase_ = phase::getting_ready;
  bool no_synchronize_ = false;
  bool cache_doubt_ = false;
};

}  // namespace usb::storage
