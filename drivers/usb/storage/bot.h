// Bulk-Only Transport (USB Mass Storage Class, Bulk-Only Transport 1.0): one SCSI command as three
// transfers: command wrapper (CBW) out, data in or out, status wrapper (CSW) in.
//
// - All three are queued at once where that is safe; then only the status causes an interrupt. Two
//   cases are not safe, both seen in QEMU 7.2: a status queued behind data IN is never answered,
//   and a status requested while the device still waits for data of a long write is answered with
//   STALL. In these cases the status is requested when the data transfer has ended. What the queue
//   gains in QEMU: append + sync is 2.7 times as fast, writes are 1.2 to 1.4 times as fast as with
//   one transfer at a time.
// - Other hosts submit one transfer at a time, so that is what devices are tested with. A device
//   that has stumbled (the transport failed, or the status behind data OUT was answered with STALL)
//   gets one transfer at a time from then on.
// - The data count only when the status says so: a device may fill up the data of a failed command,
//   and tells the failure in the status alone.
// - A device may send its status in the place of data that it does not have (case 4 of 6.7, without
//   the STALL). It is recognised at once.
// - Some devices tell residues that mean nothing. They are recognised by the first commands, as in
//   Linux: all bytes came, fewer than every device has are said to count. Then residues are
//   ignored.
// - Each command has a tag of its own, by which the status of an earlier command is recognised.
// - After a failed command REQUEST SENSE is sent at once (5.3.3 leaves it to the host): the next
//   command would clear the sense data.
// - After a phase error, a wrong status or a time-out, host and device are out of step: they
//   disagree about what comes next. A port reset brings them into step again. (The class's own
//   Bulk-Only Reset makes QEMU 7.2 abort when a status is unread.)
#pragma once

#include <array>
#include <optional>
#include <span>

#include "drivers/usb/storage/transport.h"
#include "lib/endian.h"

namespace usb::storage {

struct command_block_wrapper {
  static constexpr u32 good_signature = 0x43425355;  // "USBC"
  le32 signature;
  le32 tag;
  le32 data_length;
  u8 flags = 0;  // 0x80: IN
  u8 lun = 0;
  u8 cdb_length = 0;
  std::array<u8, 16> cdb{};
};
static_assert(sizeof(command_block_wrapper) == 31);

struct command_status_wrapper {
  static constexpr u32 good_signature = 0x53425355;  // "USBS"
  le32 signature;
  le32 tag;
  le32 residue;
  u8 status = 0;
};
static_assert(sizeof(command_status_wrapper) == 13);

enum class csw_status : u8 { good = 0, failed = 1, phase_error = 2 };

// Whether `length` bytes are a valid status (6.3) for the command with this tag.
bool is_valid_status(const command_status_wrapper& csw, u32 length, u32 tag);

class bulk_only final : public transport {
 public:
  // The wrappers are in device.memory.page.
  bulk_only(host_device& device, const interface_info& interface);

  // Whether the interface has bulk endpoints of both directions, which every command needs.
  bool has_endpoints() const { return in_ != 0 && out_ != 0; }

  result<command_reply> execute(const scsi_command& command) override;
  u8 count_units() override;

 private:
  static constexpr u32 cbw_offset = 0, csw_offset = 64, sense_offset = 128, sense_length = 18;
  // QEMU takes data in parts of 128 KiB.
  static constexpr u32 longest_write_with_status = 128 * 1024;

  // The transfers of one command.
  struct exchange {
    transfer cbw, data, csw;
    instant deadline;
    std::optional<command_status_wrapper> status_in_data;
    bool unknown = false;  // how many of the data OUT were moved
  };

  result<command_reply> carry_out(const scsi_command& command);
  result<std::span<const byte>> request_sense(u8 unit);
  result<command_reply> attempt(const scsi_command& command);
  void fill_cbw(const scsi_command& command);
  void prepare(exchange& x, const scsi_command& command);
  void learn_residue(const exchange& x, const scsi_command& command,
                     const command_status_wrapper& csw);
  command_reply reply_of(const exchange& x, const scsi_command& command,
                         const command_status_wrapper& csw) const;
  void be_careful();
  result<command_status_wrapper> run_stages(exchange& x, const scsi_command& command);
  result<void> submit_rest(exchange& x, const scsi_command& command);
  result<void> wait_status(exchange& x);
  result<void> clear_failed_data(exchange& x);
  result<void> read_status_again(exchange& x);
  std::optional<command_status_wrapper> find_status_in_data(const exchange& x,
                                                            const scsi_command& command) const;
  result<void> end_data(exchange& x, const scsi_command& command,
                        const command_status_wrapper& csw);
  void take_back(exchange& x);
  result<void> recover();

  command_status_wrapper status() const;

  u8 interface_ = 0;
  u8 in_ = 0, out_ = 0;
  dma_segment cbw_segment_, csw_segment_;
  u32 tag_ = 0;
  bool careful_ = false;          // one transfer at a time
  bool ignores_residue_ = false;  // what the device tells of it means nothing
};

}  // namespace usb::storage
