#include "tests/sim/xhci/stick.h"

#include <algorithm>
#include <cstring>

#include "tests/sim/scheduler.h"

namespace sim {

namespace {

std::vector<byte> bytes_of(std::initializer_list<u32> values) {
  std::vector<byte> bytes;
  for (u32 v : values) bytes.push_back(static_cast<byte>(v));
  return bytes;
}

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
  disk_.power_on();
  bus_reset();
}

void usb_stick::bus_reset() {
  ++bus_resets_;
  storage_.drop_cache();
  address_ = configuration_ = 0;
  reset_transport();
}

void usb_stick::reset_transport() {
  state_ = state::command;
  in_halted_ = out_halted_ = busy_ = false;
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
  switch (kind) {
    case 0x8006: {
      answer_setup(descriptor(request[3], request[2]));
      control_refused_ = control_data_.empty();
      break;
    }
    case 0x0009:
      configuration_ = request[2];
      reset_transport();
      break;
    case 0x0201: clear_halt(request[4]); break;
    case 0xA1FE: answer_setup(bytes_of({0})); break;  // GET_MAX_LUN
    case 0x21FF: reset_transport(); break;            // Bulk-Only Mass Storage Reset
    default: control_refused_ = true;
  }
  const size_t wanted = request[6] | static_cast<size_t>(request[7]) << 8;
  if (control_data_.size() > wanted) control_data_.resize(wanted);
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
      return bytes_of({18, 1, 0, super ? 3u : 2u, 0, 0, 0, super ? 9u : 64u, 0xF4, 0x46, 1, 0, 0, 1,
                       1, 2, 3, 1});
    case 2: return configuration_descriptor();
    case 3:
      switch (index) {
        case 0: return bytes_of({4, 3, 0x09, 0x04});
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
  const u32 packet_high = super ? 4 : 2;
  std::vector<byte> all = bytes_of({9, 2, 0, 0, 1, 1, 0, 0x80, 50});
  const auto add = [&](std::initializer_list<u32> values) {
    const auto more = bytes_of(values);
    all.insert(all.end(), more.begin(), more.end());
  };
  std::vector<u32> addresses{0x80u | in_endpoint, out_endpoint};
  if (second_pair) addresses.insert(addresses.end(), {0x83, 4});
  add({9, 4, 0, 0, static_cast<u32>(addresses.size()), interface_class, 6, 0x50, 0});
  for (u32 address : addresses) {
    add({7, 5, address, 2, 0, packet_high, 0});
    if (super) add({6, 0x30, 15, 0, 0, 0});
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
    const size_t part = std::min<size_t>(most, control_data_.size() - control_given_);
    const auto from = control_data_.begin() + static_cast<long>(control_given_);
    control_given_ += part;
    return {handshake::ack, {from, from + static_cast<long>(part)}};
  }
  if (endpoint != in_endpoint || in_halted_ || configuration_ == 0) return {handshake::stall, {}};
  if (busy_ || answer_.hang) return {handshake::nak, {}};
  if (state_ == state::data_in) return give_data(most);
  if (state_ == state::status) return give_status();
  return {handshake::nak, {}};
}

// --- Bulk-Only Transport ---

u32 usb_stick::data_length() const {
  u32 length;
  std::memcpy(&length, cbw_.data() + 8, sizeof(length));
  return length;
}

// After an invalid wrapper both endpoints stall until a reset (6.6.1).
handshake usb_stick::take_command(std::span<const byte> data) {
  if (data.size() != cbw_.size() || std::memcmp(data.data(), "USBC", 4) != 0) {
    in_halted_ = out_halted_ = true;
    return handshake::stall;
  }
  std::ranges::copy(data, cbw_.begin());
  ++commands_;
  answer_ = {};
  data_given_ = data_taken_ = 0;
  const bool in = (cbw_[12] & byte{0x80}) != byte{0};
  state_ = data_length() == 0 ? state::status : in ? state::data_in : state::data_out;
  execute();
  if (meddle) meddle(disk_.opcode(), answer_);
  if (answer_.leave_data) state_ = state::status;
  be_busy(storage_.least_latency, storage_.most_latency);
  return handshake::ack;
}

void usb_stick::execute() {
  std::array<u8, 16> cdb;
  std::memcpy(cdb.data(), cbw_.data() + 15, cdb.size());
  answer_.data = disk_.begin(cdb, data_length());
  if (disk_.failed()) return refuse();
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
  if (answer_.status == 0 && !disk_.take(data)) return handshake::nak;
  if (data_taken_ == data_length()) {
    state_ = state::status;
    be_busy(storage_.least_latency, storage_.most_latency);
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
  const size_t part = std::min<size_t>(most, answer_.data.size() - data_given_);
  const auto from = answer_.data.begin() + static_cast<long>(data_given_);
  data_given_ += part;
  if (part < most || data_given_ == data_length()) state_ = state::status;
  return {handshake::ack, {from, from + static_cast<long>(part)}};
}

packet usb_stick::give_status() {
  if (answer_.stall_status) {
    answer_.stall_status = false;
    in_halted_ = true;
    return {handshake::stall, {}};
  }
  if (!disk_.finish(answer_.status == 0)) return {handshake::nak, {}};
  if (answer_.status == 0 && disk_.failed()) refuse();
  if (storage_.step(step_kind::status)) return {handshake::nak, {}};
  std::vector<byte> csw(13);
  std::memcpy(csw.data(), "USBS", 4);
  std::memcpy(csw.data() + 4, cbw_.data() + 4, 4);
  if (answer_.wrong_tag) csw[4] ^= byte{0x55};
  std::memcpy(csw.data() + 8, &answer_.residue, 4);
  csw[12] = static_cast<byte>(answer_.status);
  state_ = state::command;
  if (answer_.leave_data)
    be_busy(5_ms, 5_ms);
  else if (ready)
    ready();
  return {handshake::ack, csw};
}

}  // namespace sim
