#include "drivers/usb/storage/scsi.h"

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "hal/log.h"

namespace usb::storage {

namespace {

namespace opcode {
constexpr u8 test_unit_ready = 0x00, inquiry = 0x12, mode_sense_6 = 0x1A, start_stop_unit = 0x1B,
             read_capacity_10 = 0x25, read_10 = 0x28, write_10 = 0x2A, synchronize_cache_10 = 0x35;
}  // namespace opcode

constexpr u32 mode_sense_length = 192;  // Windows asks for as much, so devices are tested with it

scsi_command command_of(std::initializer_list<u8> cdb) {
  scsi_command c;
  std::copy(cdb.begin(), cdb.end(), c.cdb.begin());
  c.cdb_length = static_cast<u8>(cdb.size());
  return c;
}

// An error of run() as the block layer gets it.
error as_told(error e) {
  switch (e) {
    case error::enomedium:
    case error::erofs:
    case error::enodev:
    case error::enomem: return e;
    default: return error::eio;
  }
}

bool ends_the_plug(error e) { return e == error::enodev || e == error::enomedium; }

}  // namespace

namespace {
u8 response_code(std::span<const byte> data) {
  return data.empty() ? u8{0} : static_cast<u8>(data[0] & byte{0x7F});
}
}  // namespace

bool is_sense(std::span<const byte> data) {
  const u8 response = response_code(data);
  return response >= 0x70 && response <= 0x73;
}

sense parse_sense(std::span<const byte> data) {
  const auto at = [&](size_t i) { return i < data.size() ? static_cast<u8>(data[i]) : u8{0}; };
  const u8 response = response_code(data);
  const bool deferred = response == 0x71 || response == 0x73;
  switch (response) {
    case 0x70:
    case 0x71: return {static_cast<u8>(at(2) & 0x0F), at(12), at(13), deferred};
    case 0x72:
    case 0x73: return {static_cast<u8>(at(1) & 0x0F), at(2), at(3), deferred};
    default: return {};
  }
}

verdict judge(const sense& s) {
  constexpr u8 recovered_error = 1, not_ready = 2, illegal_request = 5, unit_attention = 6,
               data_protect = 7;
  if (s.deferred) return verdict::deferred;
  switch (s.key) {
    case recovered_error: return verdict::recovered;
    case not_ready:
      if (s.asc == 0x3A) return verdict::no_medium;
      return s.asc == 0x04 ? verdict::becoming_ready : verdict::retry;
    case illegal_request:
      if (s.asc == 0x20 || s.asc == 0x24) return verdict::not_supported;
      return s.asc == 0x21 ? verdict::out_of_range : verdict::failed;
    case unit_attention:
      if (s.asc == 0x29) return verdict::reset;
      if (s.asc == 0x3A) return verdict::no_medium;
      return s.asc == 0x28 ? verdict::medium_changed : verdict::attention;
    case data_protect: return s.asc == 0x27 ? verdict::write_protected : verdict::failed;
    default: return verdict::retry;  // medium error, hardware error, aborted command and others
  }
}

bool parse_mode_sense(std::span<const byte> data, disk_facts& to) {
  if (data.size() < 4) return false;
  to.write_protected = (data[2] & byte{0x80}) != byte{0};
  const size_t page = 4 + static_cast<size_t>(data[3]);
  if (page + 2 < data.size() && (data[page] & byte{0x3F}) == byte{0x08})
    to.write_cache = (data[page + 2] & byte{0x04}) != byte{0};
  return true;
}

scsi_command read_write_10(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments) {
  const u32 at = first.value();
  scsi_command c =
      command_of({write ? opcode::write_10 : opcode::read_10, 0, static_cast<u8>(at >> 24),
                  static_cast<u8>(at >> 16), static_cast<u8>(at >> 8), static_cast<u8>(at), 0,
                  static_cast<u8>(sectors >> 8), static_cast<u8>(sectors), 0});
  c.data = write ? direction::out : direction::in;
  c.segments = segments;
  c.length = sectors * SECTOR_SIZE;
  c.timeout = 30_s;
  return c;
}

// --- running a command ---

// Sends a command once. After a failure of the transport the device has been reset, and may have
// lost its write cache.
result<command_reply> scsi_disk::send(const scsi_command& command) {
  const result<command_reply> reply = transport_.execute(command);
  if (!reply && reply.error() != error::enomem) cache_doubt_ = true;
  return reply;
}

verdict scsi_disk::judge_failure(std::span<const byte> sense) {
  if (!is_sense(sense)) cache_doubt_ = true;  // it may have been a deferred error
  return sense.empty() ? verdict::failed : judge(parse_sense(sense));
}

// Runs a command to its final outcome. One unit attention is normal; before further ones there is
// more and more time.
result<u32> scsi_disk::run(const scsi_command& command, after_failure what) {
  constexpr int max_tries = 5, max_transport_failures = 2;
  const bool final = what == after_failure::give_up;
  const instant patience = now() + 30_s;
  int transport_failures = 0;
  duration rest{};  // before the next try
  for (int tries = 0; tries < max_tries; ++tries) {
    const result<command_reply> reply = send(command);
    if (!reply) {
      if (reply.error() == error::enodev || reply.error() == error::enomem)
        return fail(reply.error());
      if (final || ++transport_failures == max_transport_failures) return fail(error::eio);
      continue;
    }
    if (!reply->failed) return reply->actual;
    switch (judge_failure(reply->sense)) {
      case verdict::recovered: return reply->actual;
      case verdict::attention:
        if (tries + 1 < max_tries) transport_.pause(rest);
        rest = std::max(rest + rest, 100_ms);
        break;
      case verdict::retry:
        if (final) return fail(error::eio);
        break;
      case verdict::deferred:
        cache_doubt_ = true;
        if (final) return fail(error::eio);
        break;
      case verdict::becoming_ready:
        if (now() >= patience) return fail(error::eio);
        --tries;
        transport_.pause(100_ms);
        break;
      case verdict::medium_changed: medium_changed_ = true; [[fallthrough]];
      case verdict::reset:
        if (phase_ == phase::in_use) return fail(error::enomedium);
        break;
      case verdict::no_medium: return fail(error::enomedium);
      case verdict::write_protected: return fail(error::erofs);
      case verdict::not_supported: return fail(error::enotsup);
      case verdict::out_of_range: return fail(error::erange);
      case verdict::failed: return fail(error::eio);
    }
  }
  return fail(error::eio);
}

scsi_command scsi_disk::small_in(std::initializer_list<u8> cdb, u32 length) const {
  scsi_command c = command_of(cdb);
  c.data = direction::in;
  c.length = length;
  return c;
}

// --- getting ready ---

result<void> scsi_disk::inquire(disk_facts& to) {
  const dma_segment segment = transport_.scratch_segment(sizeof(standard_inquiry));
  scsi_command c =
      small_in({opcode::inquiry, 0, 0, 0, sizeof(standard_inquiry), 0}, sizeof(standard_inquiry));
  c.segments = {&segment, 1};
  standard_inquiry reply{};
  if (TRY(run(c)) < sizeof(reply)) return fail(error::eproto);
  std::memcpy(&reply, transport_.scratch().data(), sizeof(reply));
  if ((reply.device_type & 0x1F) != 0) return fail(error::enotsup);  // not a direct-access device
  to.removable_medium = takes_media_ = (reply.removable & 0x80) != 0;
  field_to_ascii(reply.vendor, to.vendor);
  field_to_ascii(reply.product, to.product);
  return {};
}

result<void> scsi_disk::test_ready() {
  TRY(run(command_of({opcode::test_unit_ready, 0, 0, 0, 0, 0})));
  return {};
}

result<void> scsi_disk::wait_until_ready() {
  const result<void> ready = test_ready();
  if (ready || ready.error() != error::eio) return ready;
  // Whether it was started is seen by its readiness: not every device knows the command.
  const result<u32> started = run(command_of({opcode::start_stop_unit, 0, 0, 0, 1, 0}));
  if (!started && ends_the_plug(started.error())) return fail(started.error());
  return test_ready();
}

result<void> scsi_disk::read_capacity(disk_facts& to) {
  const dma_segment segment = transport_.scratch_segment(sizeof(capacity_reply));
  scsi_command c =
      small_in({opcode::read_capacity_10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, sizeof(capacity_reply));
  c.segments = {&segment, 1};
  capacity_reply reply;
  if (TRY(run(c)) < sizeof(reply)) return fail(error::eproto);
  std::memcpy(&reply, transport_.scratch().data(), sizeof(reply));
  const device_facts& facts = device().facts;
  if (reply.block_size != SECTOR_SIZE) {
    printk("usb %u-%u: sectors of %u bytes are not supported\n", facts.bus, facts.port,
           static_cast<u32>(reply.block_size));
    return fail(error::enotsup);
  }
  if (reply.last_lba == 0xFFFF'FFFF || reply.last_lba == 0) {
    printk("usb %u-%u: a medium of this size is not supported\n", facts.bus, facts.port);
    return fail(error::enotsup);
  }
  to.sectors = reply.last_lba + 1;
  return {};
}

// Some devices tell the number of sectors in place of the last sector's address: one too many.
result<void> scsi_disk::check_last_sector(disk_facts& to) {
  const dma_segment segment = transport_.scratch_segment(SECTOR_SIZE);
  const scsi_command c = read_write_10(false, lba{to.sectors - 1}, 1, {&segment, 1});
  const result<u32> read = run(c);
  if (!read && ends_the_plug(read.error())) return fail(read.error());
  if (!read && read.error() == error::erange) --to.sectors;
  return {};
}

// Many devices have no caching page. Then they are taken to be writable and to have a write cache.
result<void> scsi_disk::read_modes(disk_facts& to) {
  std::memset(transport_.scratch().data(), 0, mode_sense_length);
  const dma_segment segment = transport_.scratch_segment(mode_sense_length);
  scsi_command c =
      small_in({opcode::mode_sense_6, 8, 0x08, 0, mode_sense_length, 0}, mode_sense_length);
  c.segments = {&segment, 1};
  const result<u32> length = run(c);
  if (!length && ends_the_plug(length.error())) return fail(length.error());
  if (length) static_cast<void>(parse_mode_sense(transport_.scratch().first(*length), to));
  return {};
}

// Reads the facts; medium_changed_ tells whether they are of one medium.
result<disk_facts> scsi_disk::examine() {
  disk_facts facts;
  TRY(inquire(facts));
  TRY(wait_until_ready());
  medium_changed_ = false;
  TRY(read_capacity(facts));
  TRY(read_modes(facts));
  TRY(check_last_sector(facts));
  return facts;
}

// A device that reports a change every time is used all the same.
result<disk_facts> scsi_disk::examine_one_medium() {
  constexpr int max_tries = 3;
  disk_facts facts = TRY(examine());
  for (int tries = 1; medium_changed_ && tries < max_tries; ++tries) facts = TRY(examine());
  return facts;
}

result<disk_facts> scsi_disk::make_ready() {
  phase_ = phase::getting_ready;
  const result<disk_facts> facts = examine_one_medium();
  phase_ = phase::in_use;
  cache_doubt_ = false;  // nothing has been written yet
  return facts;
}

// --- in use ---

result<void> scsi_disk::read_write(bool write, lba first, u32 sectors,
                                   std::span<const dma_segment> segments) {
  const scsi_command c = read_write_10(write, first, sectors, segments);
  const result<u32> moved = run(c);
  if (!moved) return fail(as_told(moved.error()));
  return *moved == c.length ? result<void>{} : fail(error::eio);
}

// After any failure, a pull included, nothing is known to be durable. The command is not tried
// again: the device may have dropped what it could not write, and a second try would succeed and
// hide that. A device that has executed the command and refuses it later has failed: only the first
// refusal says that there is no cache.
result<void> scsi_disk::synchronize_cache() {
  if (no_synchronize_) return {};
  scsi_command c = command_of({opcode::synchronize_cache_10, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  c.timeout = 60_s;
  const result<u32> done = run(c, after_failure::give_up);
  if (done) {
    synchronizes_ = true;
    return {};
  }
  if (done.error() == error::enotsup && !synchronizes_) {
    printk("usb %u-%u: no SYNCHRONIZE CACHE; taken to write through\n", device().facts.bus,
           device().facts.port);
    no_synchronize_ = true;
    return {};
  }
  return fail(as_told(done.error()));
}

}  // namespace usb::storage
