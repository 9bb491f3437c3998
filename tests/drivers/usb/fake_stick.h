// A mass storage device that implements usb.h, without a controller: it takes wrappers and data as
// transfers, and a SCSI disk answers them, or one of several. A test can make it stall, give wrong
// answers, hang or go.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "drivers/usb/core.h"
#include "drivers/usb/storage/bot.h"
#include "tests/sim/scsi_target.h"

namespace sim {

class fake_stick final : public usb::host_device {
 public:
  static constexpr u8 in_address = 0x81, out_address = 0x02;

  // The answer that the device is going to give; `meddle` may change it.
  struct answer {
    std::vector<byte> data;  // IN
    u8 status = 0;
    u32 residue = 0;
    u32 tag = 0;
    u32 signature = usb::storage::command_status_wrapper::good_signature;
    bool stall_data = false;
    bool stall_status = false;      // once
    bool empty_status = false;      // once
    bool status_as_data = false;    // the status comes in place of the data
    bool silent = false;            // the status never comes
    bool leave_data = false;        // the status comes although the data OUT have not been taken
    bool data_without_end = false;  // the data never end
  };

  explicit fake_stick(u32 sectors = 2048);
  static usb::interface_info interface();

  // --- for tests ---
  medium storage;
  scsi_target disk{storage};
  std::function<void(const usb::storage::command_block_wrapper&, answer&)> meddle;
  // A further logical unit with a medium of its own. The first one, `disk`, has number 0.
  struct logical_unit {
    explicit logical_unit(u32 sectors) : storage(sectors) {}
    medium storage;
    scsi_target disk{storage};
  };
  logical_unit& add_unit(u32 sectors = 2048);
  // What GET MAX LUN answers.
  std::optional<u8> claimed_last_unit;
  result<u32> max_lun_outcome = 1u;
  u32 lost_max_luns = 0;    // so many answers of it are lost first
  usb::setup_packet setup;  // of the last control request

  std::optional<error> reset_outcome;
  bool has_room = true;    // for another transfer
  u32 stall_wrappers = 0;  // so many commands are not taken
  u32 resets = 0, clear_halts = 0, releases = 0;
  u32 transfers = 0;           // submitted
  u32 transfers_at_stall = 0;  // when a wrapper was not taken
  u32 overlaps = 0;  // transfers that were submitted before the one that they depend on was done
  std::vector<u32> tags;
  std::vector<u8> opcodes, units;  // of all commands

  void pull();
  u32 count(u8 opcode) const {
    return static_cast<u32>(std::count(opcodes.begin(), opcodes.end(), opcode));
  }

  // --- usb::device ---
  bool gone() const override { return gone_; }
  result<u32> control(const usb::setup_packet& asked, std::span<byte> data, duration) override;
  result<void> set_control_packet_size(u16) override { return {}; }
  result<void> configure(u8, std::span<const usb::endpoint>) override { return {}; }
  result<void> submit(usb::transfer& t) override;
  result<void> wait(usb::transfer& t, instant deadline) override;
  void settle(usb::transfer& t) override;
  void cancel(u8 address) override { end_all(address, error::etimedout); }
  result<void> clear_halt(u8 endpoint_address) override;
  result<void> reset() override;
  void release() override;

 private:
  enum class state { command, data_in, data_out, status };

  void end(usb::transfer& t, result<void> outcome, u32 actual);
  void succeed(usb::transfer& t, u32 actual);
  void end_all(u8 address, error why);
  usb::transfer* take(u8 address);
  void advance();
  bool advance_once();
  void begin_command(usb::transfer& t);
  void give_data(usb::transfer& t);
  void take_data(usb::transfer& t);
  void send_status(usb::transfer& t);
  usb::storage::command_status_wrapper status();

  usb::driver_memory memory_;
  bool gone_ = false;
  state state_ = state::command;
  bool in_halted_ = false, out_halted_ = false;
  std::list<logical_unit> more_;
  scsi_target* current_ = &disk;  // the unit whose command it is
  usb::storage::command_block_wrapper cbw_;
  answer answer_;
  std::vector<usb::transfer*> queue_, quiet_;
};

}  // namespace sim
