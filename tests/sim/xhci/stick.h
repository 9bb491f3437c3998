// A mass-storage stick on the wire: a SCSI disk with USB descriptors and Bulk-Only Transport. It
// may have further logical units with media of their own, as a card reader has.
//
// It behaves as a good device does: it tells residues, and stalls where the specification says so.
// A test can change its answers with `meddle`.
//
// The media of the further units are plugged in and pulled with the first one, which is what the
// port has contact with. Pulled at a step of any of them, the whole stick is pulled.
#pragma once

#include <functional>
#include <list>
#include <optional>

#include "tests/sim/scsi_target.h"
#include "tests/sim/xhci/timeline.h"
#include "tests/sim/xhci/usb_function.h"

namespace sim {

class usb_stick final : public usb_function, public outlet {
 public:
  usb_stick(medium& storage, timeline& time) : storage_(storage), time_(time) {
    units_.emplace_back(storage);
  }

  // The answer that the device is going to give to a command.
  struct answer {
    std::vector<byte> data;  // IN
    u8 status = 0;
    u32 residue = 0;
    bool stall_data = false;
    bool stall_status = false;  // once
    bool leave_data = false;    // the status comes although the data OUT have not been taken
    bool hang = false;          // neither data nor status, until a reset
    bool wrong_tag = false, wrong_signature = false;
    bool status_twice = false;    // it comes once more, in place of what is asked for next
    duration late{};              // it is busy so much longer
    bool status_as_data = false;  // the status comes in place of the data IN
  };
  std::function<void(u8 opcode, answer&)> meddle;

  // What it does when it is asked for the status while it still takes data OUT. Every host but some
  // of the newest asks afterwards, so devices are not tested with it.
  enum class early_status : u8 { waits, stalls, hangs, breaks_off };
  early_status at_early_status = early_status::waits;
  void stop_hanging();

  // How it describes itself: the class of its interface, and whether that has a second pair of bulk
  // endpoints, which answers nothing.
  u8 interface_class = 8;
  bool second_pair = false;

  u32 full_speed_packet = 64;  // EP0's largest at full speed

  // The next GET_DESCRIPTOR with this value gets no answer.
  std::optional<u32> lose_descriptor;
  // The next control request with this number gets no answer; a STALL.
  std::optional<u8> lose_request, refuse_request;

  // The disk of the first logical unit, and one more unit, before it is plugged in.
  scsi_target& disk() { return units_.front().disk; }
  scsi_target& add_unit(medium& storage) { return units_.emplace_back(storage).disk; }
  void plug_further_units();
  void pull_further_units();

  bool ready_for_use() const { return units_.front().disk.used(); }
  bool flushing() const { return state_ != state::command && current_->disk.opcode() == 0x35; }
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

  // outlet, for the media of the further units
  void connect(medium&) override {}
  void disconnect(medium&) override;

 private:
  struct logical_unit {
    explicit logical_unit(medium& m) : storage(m), disk(m) {}
    medium& storage;
    scsi_target disk;
  };

  static constexpr u8 in_endpoint = 1, out_endpoint = 2;
  enum class state : u8 { command, data_in, data_out, status };

  void describe_endpoints();
  u32 control_packet() const;
  bool is_wrapper(std::span<const byte> data) const;
  void answer_setup(std::vector<byte> bytes) { control_data_ = std::move(bytes); }
  std::vector<byte> descriptor(u8 type, u8 index) const;
  std::vector<byte> configuration_descriptor() const;
  void clear_halt(u8 address);
  void reset_transport();
  handshake take_command(std::span<const byte> data);
  handshake take_data(std::span<const byte> data);
  packet give_data(u32 most);
  packet give_status();
  packet answer_early();
  std::vector<byte> status_wrapper() const;
  void be_busy(duration least, duration most);

  // The disk's part in a command.
  void execute();
  void refuse();
  u32 data_length() const;

  medium& storage_;
  timeline& time_;
  bus_speed speed_ = bus_speed::super;
  u8 address_ = 0, configuration_ = 0;
  u32 bus_resets_ = 0, commands_ = 0;
  u32 power_cycle_ = 0;  // an action of an earlier plug is ignored

  // EP0
  std::vector<byte> control_data_;
  size_t control_given_ = 0;
  bool control_refused_ = false;
  bool control_hangs_ = false;

  // Bulk-Only Transport
  state state_ = state::command;
  std::array<byte, 31> cbw_{};
  answer answer_;
  size_t data_given_ = 0;
  u32 data_taken_ = 0;
  bool busy_ = false;
  bool in_halted_ = false, out_halted_ = false;
  std::vector<byte> repeated_;  // a status that is given once more; empty: none

  std::list<logical_unit> units_;
  logical_unit* current_ = &units_.front();  // the one whose command it is
};

}  // namespace sim
