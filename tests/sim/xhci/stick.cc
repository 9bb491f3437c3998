#include "tests/sim/xhci/stick.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/sim/scheduler.h"

namespace sim {

namespace {

std::vector<byte> bytes_of(std::initializer_list<u32> values) {
  std::vector<byte> bytes;
  for (u32 v : values) bytes.push_back(static_cast<byte>(v));
  return bytes;
}

constexpr u32 language = 0x0409;

std::vector<byte> string_descriptor(std::string_view text) {
  std::vector<byte> bytes = bytes_of({static_cast<u32>(2 + 2 * text.size()), 3});
  for (char c : text) {
    bytes.push_back(static_cast<byte>(c));
    bytes.push_back(byte{0});
  }
  return bytes;
}

}  // namespace

// --- life on the bus ---

void usb_stick::attached(bus_speed speed) {
  speed_ = speed;
  ++power_cycle_;
  for (logical_unit& each : units_) each.disk.power_on();
  describe_endpoints();
  bus_reset();
}

void usb_stick::plug_further_units() {
  for (auto each = std::next(units_.begin()); each != units_.end(); ++each)
    each->storage.plug(*this);
}

void usb_stick::pull_further_units() {
  for (auto each = std::next(units_.begin()); each != units_.end(); ++each)
    if (each->storage.plugged()) each->storage.pull();
}

void usb_stick::disconnect(medium&) {
  if (storage_.plugged()) storage_.pull();
}

void usb_stick::describe_endpoints() {
  const bool super = speed_ == bus_speed::super;
  const u32 small = speed_ == bus_speed::low ? 8 : 64;
  packet_sizes.fill(super ? 1024 : speed_ == bus_speed::high ? 512 : small);
  bursts.fill(super ? 15 : 0);
  packet_sizes[1] = control_packet();
}

u32 usb_stick::control_packet() const {
  if (speed_ == bus_speed::low) return 8;
  return speed_ == bus_speed::super ? 512 : speed_ == bus_speed::high ? 64 : full_speed_packet;
}

void usb_stick::bus_reset() {
  ++bus_resets_;
  for (logical_unit& each : units_) {
    each.storage.drop_cache();
    each.disk.reset();
  }
  address_ = configuration_ = 0;
  reset_transport();
}

void usb_stick::reset_transport() {
  state_ = state::command;
  in_halted_ = out_halted_ = busy_ = false;
  repeated_.clear();
  answer_ = {};
  toggles.reset();
}

// Answers with NAK for some time, then calls the endpoints that wait (`ready`).
void usb_stick::be_busy(duration least, duration most) {
  busy_ = true;
  time_.between(least, most, [this, of = power_cycle_, during = bus_resets_] {
    if (of != power_cycle_ || during != bus_resets_) return;
    busy_ = false;
    if (ready) ready();
  });
}

void usb_stick::stop_hanging() {
  answer_.hang = false;
  if (ready) ready();
}

// --- EP0 (USB 3.2, 9.4) ---

void usb_stick::setup(const std::array<u8, 8>& request) {
  control_data_.clear();
  control_given_ = 0;
  control_refused_ = false;
  const u32 value = request[2] | static_cast<u32>(request[3]) << 8;
  control_hangs_ = request[1] == 6 && lose_descriptor == value;
  if (control_hangs_) lose_descriptor.reset();
  if (lose_request == request[1]) control_hangs_ = true, lose_request.reset();
  if (refuse_request == request[1]) {
    control_refused_ = true;
    return refuse_request.reset();
  }
  if (control_hangs_) return;
  const u32 kind = static_cast<u32>(request[0]) << 8 | request[1];
  const u32 index = request[4] | static_cast<u32>(request[5]) << 8;
  const u32 length = request[6] | static_cast<u32>(request[7]) << 8;
  switch (kind) {
    case 0x8006: {  // the index of a string is its language
      const bool is_text = request[3] == 3 && request[2] != 0;
      if (index == (is_text ? language : 0)) answer_setup(descriptor(request[3], request[2]));
      control_refused_ = control_data_.empty();
      break;
    }
    case 0x0009:
      control_refused_ = value > 1 || index != 0 || length != 0;
      if (control_refused_) break;
      configuration_ = request[2];
      reset_transport();
      break;
    case 0x0201:
      control_refused_ =
          value != 0 || length != 0 || (index != (0x80 | in_endpoint) && index != out_endpoint);
      if (!control_refused_) clear_halt(request[4]);
      break;
    case 0xA1FE:  // GET MAX LUN (BOT, 3.2): the number of the last unit
      control_refused_ = value != 0 || index != 0 || length != 1;
      answer_setup(bytes_of({static_cast<u32>(units_.size() - 1)}));
      break;
    case 0x21FF: reset_transport(); break;  // Bulk-Only Mass Storage Reset
    default: control_refused_ = true;
  }
  if (control_data_.size() > length) control_data_.resize(length);
}

void usb_stick::clear_halt(u8 address) {
  const bool in = address & 0x80;
  (in ? in_halted_ : out_halted_) = false;
  toggles[in ? 2 * in_endpoint + 1 : 2 * out_endpoint] = false;
}

std::vector<byte> usb_stick::descriptor(u8 type, u8 index) const {
  const bool super = speed_ == bus_speed::super;
  switch (type) {
    case 1:
      if (index != 0) return {};
      return bytes_of({18, 1, 0, super ? 3u : 2u, 0, 0, 0, super ? 9u : control_packet(), 0xF4,
                       0x46, 1, 0, 0, 1, 1, 2, 3, 1});
    case 2: return index == 0 ? configuration_descriptor() : std::vector<byte>{};
    case 3:
      switch (index) {
        case 0: return bytes_of({4, 3, language & 0xFF, language >> 8});
        case 1: return string_descriptor("SIM");
        case 2: return string_descriptor("STICK");
        case 3: return string_descriptor(storage_.identity.serial.data());
        default: return {};
      }
    default: return {};
  }
}

std::vector<byte> usb_stick::configuration_descriptor() const {
  const bool super = speed_ == bus_speed::super;
  const u32 packet = packet_sizes[2];
  std::vector<byte> all = bytes_of({9, 2, 0, 0, 1, 1, 0, 0x80, 50});
  const auto add = [&](std::initializer_list<u32> values) {
    const auto more = bytes_of(values);
    all.insert(all.end(), more.begin(), more.end());
  };
  std::vector<u32> addresses{0x80u | in_endpoint, out_endpoint};
  if (second_pair) addresses.insert(addresses.end(), {0x83, 4});
  add({9, 4, 0, 0, static_cast<u32>(addresses.size()), interface_class, 6, 0x50, 0});
  for (u32 address : addresses) {
    add({7, 5, address, 2, packet & 0xFF, packet >> 8, 0});
    if (super) add({6, 0x30, bursts[2], 0, 0, 0});
  }
  all[2] = static_cast<byte>(all.size());
  return all;
}

// --- packets ---

handshake usb_stick::out(u8 endpoint, std::span<const byte> data) {
  if (endpoint == 0 && control_hangs_) return handshake::nak;
  if (endpoint == 0) return control_refused_ ? handshake::stall : handshake::ack;
  if (endpoint != out_endpoint || out_halted_ || configuration_ == 0) return handshake::stall;
  if (busy_ || answer_.hang) return handshake::nak;
  if (state_ == state::command) return take_command(data);
  if (state_ == state::data_out) return take_data(data);
  return handshake::nak;
}

packet usb_stick::in(u8 endpoint, u32 most) {
  if (endpoint == 0) {
    if (control_hangs_) return {handshake::nak, {}};
    if (control_refused_) return {handshake::stall, {}};
    const size_t part = std::min<size_t>(control_packet(), control_data_.size() - control_given_);
    const auto from = control_data_.begin() + static_cast<long>(control_given_);
    control_given_ += part;
    return {handshake::ack, {from, from + static_cast<long>(part)}};
  }
  if (endpoint != in_endpoint || in_halted_ || configuration_ == 0) return {handshake::stall, {}};
  if (!repeated_.empty() && state_ != state::command)
    return {handshake::ack, std::exchange(repeated_, {})};
  if (busy_ || answer_.hang) return {handshake::nak, {}};
  if (state_ == state::data_in) return give_data(most);
  if (state_ == state::status) return give_status();
  if (state_ == state::data_out) return answer_early();
  return {handshake::nak, {}};
}

// --- Bulk-Only Transport ---

u32 usb_stick::data_length() const {
  u32 length;
  std::memcpy(&length, cbw_.data() + 8, sizeof(length));
  return length;
}

// Valid and meaningful (6.2): a logical unit that there is, no bit that is reserved, and a command
// block of the length that its operation code tells.
bool usb_stick::is_wrapper(std::span<const byte> data) const {
  if (data.size() != cbw_.size() || std::memcmp(data.data(), "USBC", 4) != 0) return false;
  const auto at = [&](size_t i) { return static_cast<u8>(data[i]); };
  return (at(12) & 0x7F) == 0 && at(13) < units_.size() && at(14) == scsi_target::length_of(at(15));
}

// After an invalid wrapper both endpoints stall until a reset (6.6.1).
handshake usb_stick::take_command(std::span<const byte> data) {
  if (!is_wrapper(data)) {
    in_halted_ = out_halted_ = true;
    return handshake::stall;
  }
  std::ranges::copy(data, cbw_.begin());
  current_ = &*std::next(units_.begin(), static_cast<u8>(cbw_[13]));
  ++commands_;
  answer_ = {};
  data_given_ = data_taken_ = 0;
  const bool in = (cbw_[12] & byte{0x80}) != byte{0};
  state_ = data_length() == 0 ? state::status : in ? state::data_in : state::data_out;
  execute();
  if (meddle) meddle(current_->disk.opcode(), answer_);
  if (answer_.leave_data) state_ = state::status;
  const medium& storage = current_->storage;
  be_busy(storage.least_latency + answer_.late, storage.most_latency + answer_.late);
  return handshake::ack;
}

void usb_stick::execute() {
  std::array<u8, 16> cdb;
  std::memcpy(cdb.data(), cbw_.data() + 15, cdb.size());
  answer_.data = current_->disk.begin(cdb, data_length());
  if (current_->disk.failed()) return refuse();
  if (state_ == state::data_in)
    answer_.residue = data_length() - static_cast<u32>(answer_.data.size());
}

// A failed command has no data: an IN stage ends with a STALL, data OUT are taken and ignored
// (6.7.2, 6.7.3).
void usb_stick::refuse() {
  answer_.status = 1;
  answer_.residue = data_length();
  answer_.data.clear();
  answer_.stall_data = state_ == state::data_in;
}

handshake usb_stick::take_data(std::span<const byte> data) {
  if (answer_.stall_data) {
    out_halted_ = true;
    state_ = state::status;
    return handshake::stall;
  }
  data_taken_ += static_cast<u32>(data.size());
  if (answer_.status == 0 && !current_->disk.take(data)) return handshake::nak;
  if (data_taken_ == data_length()) {
    state_ = state::status;
    be_busy(current_->storage.least_latency, current_->storage.most_latency);
  }
  return handshake::ack;
}

// If the device has less data than requested, the data end with a STALL or a short packet, and the
// status tells the residue.
packet usb_stick::give_data(u32 most) {
  if (answer_.stall_data) {
    in_halted_ = true;
    state_ = state::status;
    return {handshake::stall, {}};
  }
  if (answer_.status_as_data) return give_status();
  const size_t part = std::min<size_t>(most, answer_.data.size() - data_given_);
  const auto from = answer_.data.begin() + static_cast<long>(data_given_);
  data_given_ += part;
  if (part < most || data_given_ == data_length()) state_ = state::status;
  return {handshake::ack, {from, from + static_cast<long>(part)}};
}

packet usb_stick::answer_early() {
  switch (at_early_status) {
    case early_status::waits: break;
    case early_status::stalls: in_halted_ = true; return {handshake::stall, {}};
    case early_status::hangs: answer_.hang = true; break;
    case early_status::breaks_off:  // a status of phase error, at once
      answer_.status = 2;
      state_ = state::command;
      return {handshake::ack, status_wrapper()};
  }
  return {handshake::nak, {}};
}

std::vector<byte> usb_stick::status_wrapper() const {
  std::vector<byte> csw(13);
  std::memcpy(csw.data(), "USBS", 4);
  std::memcpy(csw.data() + 4, cbw_.data() + 4, 4);
  if (answer_.wrong_tag) csw[4] ^= byte{0x55};
  if (answer_.wrong_signature) csw[0] ^= byte{0x55};
  std::memcpy(csw.data() + 8, &answer_.residue, 4);
  csw[12] = static_cast<byte>(answer_.status);
  return csw;
}

packet usb_stick::give_status() {
  if (answer_.stall_status) {
    answer_.stall_status = false;
    in_halted_ = true;
    return {handshake::stall, {}};
  }
  scsi_target& disk = current_->disk;
  if (!disk.finish(answer_.status == 0)) return {handshake::nak, {}};
  if (disk.recovered())
    answer_.status = 1;
  else if (answer_.status == 0 && disk.failed())
    refuse();
  if (current_->storage.step(step_kind::status)) return {handshake::nak, {}};
  const std::vector<byte> csw = status_wrapper();
  if (answer_.status_twice) repeated_ = csw;
  state_ = state::command;
  if (answer_.leave_data)
    be_busy(5_ms, 5_ms);
  else if (ready)
    ready();
  return {handshake::ack, csw};
}

}  // namespace sim
