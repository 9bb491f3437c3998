// The disk inside the stick (SPC-4, SBC-3), over a medium with a volatile write cache.
#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/stick.h"

namespace sim {

namespace {
constexpr u8 test_unit_ready = 0x00, request_sense = 0x03, inquiry_command = 0x12,
             mode_sense = 0x1A, start_stop = 0x1B, read_capacity = 0x25, read_10 = 0x28,
             write_10 = 0x2A, synchronize_cache = 0x35;
}  // namespace

u32 usb_stick::big_endian(size_t at, int bytes) const {
  u32 value = 0;
  for (int i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<u32>(cbw_[at + static_cast<size_t>(i)]);
  return value;
}

void usb_stick::refuse(sense_data why) {
  sense_ = why;
  answer_.status = 1;
  answer_.residue = data_length();
  // No data: an IN stage ends with a STALL, an OUT stage is swallowed (6.7.2, 6.7.3).
  answer_.data.clear();
  answer_.stall_data = state_ == state::data_in;
}

void usb_stick::execute() {
  partial_sector_.clear();
  record_ = {};
  if (attention_ && opcode() != inquiry_command && opcode() != request_sense) {
    refuse(*attention_);
    attention_.reset();
    return;
  }
  switch (opcode()) {
    case test_unit_ready:
    case start_stop: break;
    case request_sense: {
      answer_.data.assign(18, byte{0});
      answer_.data[0] = byte{0x70};
      answer_.data[2] = static_cast<byte>(sense_.key);
      answer_.data[7] = byte{10};
      answer_.data[12] = static_cast<byte>(sense_.asc);
      sense_ = {0, 0};
      break;
    }
    case inquiry_command: answer_.data = inquiry(); break;
    case mode_sense: answer_.data = modes(); break;
    case read_capacity: answer_.data = capacity(); break;
    case read_10: begin_read(); break;
    case write_10: begin_write(); break;
    case synchronize_cache:
      record_ = {attach_epoch{storage_.plugs()}, block_command::flush, {}, 0, now(), {}, false};
      break;
    default: return refuse({5, 0x20});
  }
  if (answer_.status != 0) return;
  if (answer_.data.size() > data_length()) answer_.data.resize(data_length());
  if (state_ == state::data_in)
    answer_.residue = data_length() - static_cast<u32>(answer_.data.size());
}

void usb_stick::begin_read() {
  used_ = true;
  record_ = {attach_epoch{storage_.plugs()},
             block_command::read,
             lba{first_sector()},
             sector_count(),
             now(),
             {},
             false};
  if (u64{first_sector()} + sector_count() > storage_.identity.sectors) return refuse({5, 0x21});
  if (storage_.fault && storage_.fault(block_command::read, record_.first, record_.sectors))
    return refuse({3, 0x11});
  for (u32 i = 0; i < sector_count(); ++i) {
    const medium::sector content = storage_.newest(first_sector() + i);
    answer_.data.insert(answer_.data.end(), content.begin(), content.end());
  }
}

void usb_stick::begin_write() {
  record_ = {attach_epoch{storage_.plugs()},
             block_command::write,
             lba{first_sector()},
             sector_count(),
             now(),
             {},
             false};
  next_sector_ = first_sector();
  if (u64{first_sector()} + sector_count() > storage_.identity.sectors) return refuse({5, 0x21});
  if (storage_.write_protected) return refuse({7, 0x27});
  if (storage_.fault && storage_.fault(block_command::write, record_.first, record_.sectors))
    return refuse({3, 0x0C});
}

// Sector by sector into the cache, as the packets come.
handshake usb_stick::take_data(std::span<const byte> data) {
  if (answer_.stall_data) {
    out_halted_ = true;
    state_ = state::status;
    return handshake::stall;
  }
  data_taken_ += static_cast<u32>(data.size());
  if (answer_.status == 0) partial_sector_.insert(partial_sector_.end(), data.begin(), data.end());
  size_t used = 0;
  for (; partial_sector_.size() - used >= SECTOR_SIZE; used += SECTOR_SIZE) {
    medium::sector content;
    std::memcpy(content.data(), partial_sector_.data() + used, SECTOR_SIZE);
    if (!storage_.write_sector(next_sector_++, content)) return handshake::nak;
  }
  partial_sector_.erase(partial_sector_.begin(), partial_sector_.begin() + static_cast<long>(used));
  if (data_taken_ == data_length()) {
    state_ = state::status;
    be_busy(storage_.least_latency, storage_.most_latency);
  }
  return handshake::ack;
}

bool usb_stick::finish_command() {
  if (opcode() == synchronize_cache && answer_.status == 0) {
    if (storage_.fault && storage_.fault(block_command::flush, {}, 0))
      refuse({3, 0x0C});
    else if (!storage_.flush())
      return false;
  }
  if (opcode() == read_10 || opcode() == write_10 || opcode() == synchronize_cache) {
    record_.ended = now();
    record_.succeeded = answer_.status == 0;
    if (record_.begun.ns != 0) storage_.note(record_);
  }
  return true;
}

std::vector<byte> usb_stick::inquiry() const {
  std::vector<byte> data(36, byte{' '});
  data[0] = byte{0};
  data[1] = byte{0};
  data[2] = byte{5};
  data[3] = byte{2};
  data[4] = byte{31};
  std::memcpy(data.data() + 8, "SIM", 3);
  std::memcpy(data.data() + 16, "STICK", 5);
  return data;
}

std::vector<byte> usb_stick::capacity() const {
  const u32 last = storage_.identity.sectors - 1;
  std::vector<byte> data(8, byte{0});
  for (u32 i = 0; i < 4; ++i) data[i] = static_cast<byte>(last >> (24 - 8 * i));
  data[6] = byte{SECTOR_SIZE >> 8};
  return data;
}

// The caching page, with the write cache switched on.
std::vector<byte> usb_stick::modes() const {
  std::vector<byte> data(24, byte{0});
  data[0] = byte{23};
  data[2] = storage_.write_protected ? byte{0x80} : byte{0};
  data[4] = byte{0x08};
  data[5] = byte{0x12};
  data[6] = byte{0x04};
  return data;
}

}  // namespace sim
