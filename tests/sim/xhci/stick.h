// A mass-storage stick on the wire: USB descriptors, Bulk-Only Transport and a small SCSI disk in
// front of a simulated medium.
//
// It is as honest as a good device: unit attention after power-on, a volatile write cache,
// residues, STALLs where the specification has them. `meddle` makes it otherwise.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string_view>

#include "tests/sim/medium.h"
#include "tests/sim/xhci/timeline.h"
#include "tests/sim/xhci/usb_function.h"

namespace sim {

class usb_stick final : public usb_function {
 public:
  usb_stick(medium& storage, timeline& time) : storage_(storage), time_(time) {}

  // What the device is about to answer to a command.
  struct answer {
    std::vector<byte> data;  // IN
    u8 status = 0;
    u32 residue = 0;
    bool stall_data = false;
    bool stall_status = false;  // once
    bool leave_data = false;    // the status comes although the data OUT have not been taken
    bool hang = false;          // neither data nor status, until a reset
    bool wrong_tag = false;
  };
  std::function<void(u8 opcode, answer&)> meddle;

  bool configured() const { return configuration_ != 0; }
  bool ready_for_use() const { return used_; }  // the first READ(10) has come
  bool flushing() const { return state_ != state::command && opcode() == 0x35; }
  u32 commands() const { return commands_; }
  u32 bus_resets() const { return bus_resets_; }

  // usb_function
  void attached(bus_speed speed) override;
  void bus_reset() override;
  void set_address(u8 address) override { address_ = address; }
  u8 address() const override { return address_; }
  void setup(const std::array<u8, 8>& request) override;
  handshake out(u8 endpoint, std::span<const byte> data) override;
  packet in(u8 endpoint, u32 most) override;

 private:
  static constexpr u8 in_endpoint = 1, out_endpoint = 2;
  enum class state : u8 { command, data_in, data_out, status };
  struct sense_data {
    u8 key, asc;
  };

  // stick.cc: the wire
  void answer_setup(std::vector<byte> bytes) { control_data_ = std::move(bytes); }
  std::vector<byte> descriptor(u8 type, u8 index) const;
  std::vector<byte> configuration_descriptor() const;
  void clear_halt(u8 address);
  void reset_transport();
  handshake take_command(std::span<const byte> data);
  handshake take_data(std::span<const byte> data);
  packet give_data(u32 most);
  packet give_status();
  void be_busy(duration least, duration most);

  // scsi.cc: the disk
  void execute();
  void begin_read();
  void begin_write();
  bool finish_command();  // what is left to do before the status; false: pulled meanwhile
  void refuse(sense_data why);
  std::vector<byte> inquiry() const;
  std::vector<byte> capacity() const;
  std::vector<byte> modes() const;
  u8 opcode() const { return static_cast<u8>(cbw_[15]); }
  u32 big_endian(size_t at, int bytes) const;
  u32 first_sector() const { return big_endian(17, 4); }
  u32 sector_count() const { return big_endian(22, 2); }
  u32 data_length() const;

  medium& storage_;
  timeline& time_;
  bus_speed speed_ = bus_speed::super;
  u8 address_ = 0, configuration_ = 0;
  u32 bus_resets_ = 0, commands_ = 0;
  u32 power_cycle_ = 0;  // an action of an earlier plug has no say
  bool used_ = false;

  // EP0
  std::vector<byte> control_data_;
  size_t control_given_ = 0;
  bool control_refused_ = false;

  // Bulk-Only Transport
  state state_ = state::command;
  std::array<byte, 31> cbw_{};
  answer answer_;
  size_t data_given_ = 0;
  u32 data_taken_ = 0;
  bool busy_ = false;
  bool in_halted_ = false, out_halted_ = false;

  // the disk
  std::optional<sense_data> attention_;
  sense_data sense_{0, 0};
  std::vector<byte> partial_sector_;
  u32 next_sector_ = 0;
  command_record record_{};
};

}  // namespace sim
