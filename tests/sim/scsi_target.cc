#include "tests/sim/scsi_target.h"

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"

namespace sim {

namespace {

constexpr u8 test_unit_ready = 0x00, request_sense = 0x03, inquiry_command = 0x12,
             mode_sense = 0x1A, start_stop = 0x1B, read_capacity = 0x25, read_10 = 0x28,
             write_10 = 0x2A, synchronize_cache = 0x35, read_16 = 0x88, write_16 = 0x8A,
             service_action_in = 0x9E;
constexpr u8 read_capacity_16 = 0x10;  // its service action

void put_big_endian(std::vector<byte>& to, size_t at, u32 value) {
  for (u32 i = 0; i < 4; ++i) to[at + i] = static_cast<byte>(value >> (24 - 8 * i));
}

}  // namespace

u64 scsi_target::big_endian(size_t at, u32 bytes) const {
  u64 value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | cdb_[at + i];
  return value;
}

void scsi_target::power_on() {
  failures.assign(1, {6, 0x29, 0});
  used_ = false;
}

void scsi_target::reset() {
  if (reset_clears_attentions)
    std::erase_if(failures, [](const sense& each) { return each.key == 6; });
  const bool told = !failures.empty() && failures.front().key == 6 && failures.front().asc == 0x29;
  if (!told && tells_of_resets) failures.push_front({6, 0x29, 0});
}

// --- commands ---

std::vector<byte> scsi_target::refuse(sense why) {
  sense_ = why;
  failed_ = true;
  return {};
}

// The failure planned for this command, if there is one. INQUIRY and REQUEST SENSE do not get a
// unit attention.
std::optional<scsi_target::sense> scsi_target::next_failure() {
  if (planned_.opcode == opcode() && planned_.left > 0 && --planned_.left == 0) return planned_.why;
  if (const auto found = never_succeeds.find(opcode()); found != never_succeeds.end())
    return found->second;
  if (failures.empty() || opcode() == inquiry_command || opcode() == request_sense) return {};
  const sense next = failures.front();
  failures.pop_front();
  return next;
}

// A deferred error concerns a write that was in the write cache, so cached sectors are lost with
// it.
std::optional<scsi_target::sense> scsi_target::trouble_ahead() {
  const std::optional<sense> next = next_failure();
  if (next && next->deferred) storage_.drop_cache();
  return next;
}

std::vector<byte> scsi_target::begin(command_block cdb, u32 length) {
  std::ranges::copy(cdb, cdb_.begin());
  failed_ = false;
  partial_sector_.clear();
  record_.reset();
  recovered_.reset();
  if (opcode() != request_sense) sense_ = {};  // SPC-4, 5.14: it is kept for the next command only
  if (!well_formed(length)) return refuse({5, 0x24, 0});
  if (const std::optional<sense> trouble = trouble_ahead()) {
    constexpr u8 recovered_error = 1;
    if (trouble->key != recovered_error || trouble->deferred) return refuse(*trouble);
    recovered_ = *trouble;
  }
  std::vector<byte> data = execute();
  if (data.size() > length) data.resize(length);
  return data;
}

// Whether every byte of the command block is one that the standards allow, and whether the host
// wants to move as much as the block tells.
bool scsi_target::well_formed(u32 length) const {
  std::array<u8, 16> rest = cdb_;  // what must be 0
  u64 expected = 0;
  const auto take = [&](size_t at, u32 count) {
    const u64 value = big_endian(at, count);
    std::fill_n(rest.begin() + static_cast<long>(at), count, u8{0});
    return value;
  };
  take(0, 1);
  switch (opcode()) {
    case request_sense:
    case inquiry_command: expected = take(4, 1); break;
    case mode_sense:  // current values, with or without block descriptors
      if ((take(1, 1) & ~8u) != 0 || (take(2, 1) & 0xC0) != 0) return false;
      expected = take(4, 1);
      if (mode_length && *mode_length != expected) return false;
      break;
    case start_stop:
      if (take(1, 1) > 1 || take(4, 1) != 1) return false;
      break;
    case read_capacity: expected = 8; break;
    case service_action_in:
      if (take(1, 1) != read_capacity_16) return false;
      expected = take(10, 4);
      break;
    case read_10:
    case write_10:
      take(2, 4);
      expected = take(7, 2) * SECTOR_SIZE;
      break;
    case read_16:
    case write_16:
      take(2, 8);
      expected = take(10, 4) * SECTOR_SIZE;
      break;
    default: break;
  }
  return length == expected && std::ranges::all_of(rest, [](u8 b) { return b == 0; });
}

std::vector<byte> scsi_target::execute() {
  switch (opcode()) {
    case test_unit_ready:
    case start_stop: return {};
    case request_sense: return sense_data();
    case inquiry_command: return inquiry();
    case mode_sense: return modes();
    case read_capacity: return capacity();
    case service_action_in: return long_capacity();
    case read_10:
    case read_16: return read();
    case write_10:
    case write_16: begin_write(); return {};
    case synchronize_cache: begin_record(block_command::flush, 0, 0); return {};
    default: return refuse({5, 0x20, 0});
  }
}

// A medium's sectors have numbers of 32 bits; no command for others is executed.
void scsi_target::begin_record(block_command cmd, u64 first, u64 sectors) {
  const lba at{static_cast<u32>(std::min<u64>(first, 0xFFFF'FFFF))};
  record_ = {attach_epoch{storage_.plugs()}, cmd, at, static_cast<u32>(sectors), now(), {}, false};
}

bool scsi_target::in_range() const {
  const u64 sectors = storage_.identity.sectors, first = first_sector();
  return first <= sectors && sector_count() <= sectors - first;
}

std::vector<byte> scsi_target::read() {
  used_ = true;
  begin_record(block_command::read, first_sector(), sector_count());
  if (!in_range()) return refuse({5, 0x21, 0});
  const u32 first = static_cast<u32>(first_sector()), count = static_cast<u32>(sector_count());
  if (storage_.fault && storage_.fault(block_command::read, lba{first}, count))
    return refuse({fault_key, 0x11, 0});
  std::vector<byte> data;
  for (u32 i = 0; i < count; ++i) {
    const medium::sector content = storage_.newest(first + i);
    data.insert(data.end(), content.begin(), content.end());
  }
  return data;
}

void scsi_target::begin_write() {
  begin_record(block_command::write, first_sector(), sector_count());
  const u32 first = next_sector_ = static_cast<u32>(first_sector());
  const u32 count = static_cast<u32>(sector_count());
  if (!in_range())
    refuse({5, 0x21, 0});
  else if (storage_.write_protected)
    refuse({7, 0x27, 0});
  else if (storage_.fault && storage_.fault(block_command::write, lba{first}, count))
    refuse({fault_key, 0x0C, 0});
}

bool scsi_target::take(std::span<const byte> data) {
  if (failed_) return true;
  partial_sector_.insert(partial_sector_.end(), data.begin(), data.end());
  size_t used = 0;
  for (; partial_sector_.size() - used >= SECTOR_SIZE; used += SECTOR_SIZE) {
    medium::sector content;
    std::memcpy(content.data(), partial_sector_.data() + used, SECTOR_SIZE);
    if (!storage_.write_sector(next_sector_++, content)) return false;
  }
  partial_sector_.erase(partial_sector_.begin(), partial_sector_.begin() + static_cast<long>(used));
  return true;
}

// A failed flush drops cached sectors, or not: a device may forget what it could not write. A flush
// that was not executed at all (not ready, illegal request, unit attention) drops nothing.
bool scsi_target::synchronize(bool good) {
  constexpr u8 not_ready = 2, illegal_request = 5, unit_attention = 6;
  if (good && !failed_ && storage_.fault && storage_.fault(block_command::flush, {}, 0))
    refuse({3, 0x0C, 0});
  if (good && !failed_) return storage_.flush();
  const bool executed = !failed_ || (sense_.key != not_ready && sense_.key != illegal_request &&
                                     sense_.key != unit_attention);
  if (executed) storage_.drop_cache();
  return true;
}

bool scsi_target::finish(bool good) {
  if (opcode() == synchronize_cache && !synchronize(good)) return false;
  if (record_) {
    record_->ended = now();
    record_->succeeded = good && !failed_;
    storage_.note(*record_);
  }
  report_recovery();
  return true;
}

// SPC-4, 4.5.6: RECOVERED ERROR is told of a command that was completed successfully.
void scsi_target::report_recovery() {
  if (failed_ || !recovered_) return;
  sense_ = *recovered_;
  failed_ = true;
}

// --- what it says of itself ---

std::vector<byte> scsi_target::sense_data() {
  std::vector<byte> data(18, byte{0});
  data[0] = byte{sense_.deferred ? u8{0x71} : u8{0x70}};
  data[2] = byte{sense_.key};
  data[7] = byte{10};
  data[12] = byte{sense_.asc};
  data[13] = byte{sense_.ascq};
  sense_ = {};
  return data;
}

std::vector<byte> scsi_target::inquiry() const {
  std::vector<byte> data(36, byte{' '});
  data[0] = byte{0};
  data[1] = removable_medium ? byte{0x80} : byte{0};
  data[2] = byte{5};
  data[3] = byte{2};
  data[4] = static_cast<byte>(inquiry_length - 5);
  std::memcpy(data.data() + 8, "SIM", 3);
  std::memcpy(data.data() + 16, "STICK", 5);
  data.resize(inquiry_length);
  return data;
}

// SBC-3, 5.12: FFFFFFFFh sends the host to READ CAPACITY(16).
std::vector<byte> scsi_target::capacity() const {
  std::vector<byte> data(8, byte{0});
  put_big_endian(data, 0, static_cast<u32>(std::min<u64>(last_lba(), 0xFFFF'FFFF)));
  put_big_endian(data, 4, block_size);
  return data;
}

std::vector<byte> scsi_target::long_capacity() const {
  std::vector<byte> data(32, byte{0});
  put_big_endian(data, 0, static_cast<u32>(last_lba() >> 32));
  put_big_endian(data, 4, static_cast<u32>(last_lba()));
  put_big_endian(data, 8, block_size);
  return data;
}

// SPC-4, 6.11: a header, a block descriptor unless the host wants none, and the page; or all pages
// in the order of their numbers. Here these are error recovery and caching.
std::vector<byte> scsi_target::modes() {
  const u8 page = cdb_[2], all_pages = 0x3F;
  if (!mode_pages.contains(page)) return refuse({5, 0x24, 0});
  const bool with_descriptor = (cdb_[1] & 8) == 0;
  std::vector<byte> data(with_descriptor ? 12 : 4, byte{0});
  data[2] = storage_.write_protected ? byte{0x80} : byte{0};
  data[3] = with_descriptor ? byte{8} : byte{0};
  if (with_descriptor) put_big_endian(data, 8, block_size);
  const auto add = [&](u8 number, u32 length, u8 flags) {
    if (page != number && page != all_pages) return;
    const size_t at = data.size();
    data.resize(at + length, byte{0});
    data[at] = byte{number};
    data[at + 1] = static_cast<byte>(length - 2);
    data[at + 2] = byte{flags};
  };
  add(0x01, 12, 0xC0);
  add(0x08, 20, tells_write_cache ? 0x04 : 0);
  data[0] = static_cast<byte>(data.size() - 1);
  return data;
}

}  // namespace sim
