#include "drivers/usb/storage/scsi.h"

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "hal/log.h"

namespace usb::storage {

namespace {

namespace opcode {
constexpr u8 test_unit_ready = 0x00, inquiry = 0x12, mode_sense_6 = 0x1A, start_stop_unit = 0x1B,
             read_capacity_10 = 0x25, read_10 = 0x28, write_10 = 0x2A, synchronize_cache_10 = 0x35,
             service_action_in_16 = 0x9E;
constexpr u8 read_capacity_16 = 0x10;  // a service action
}  // namespace opcode

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
      if (s.asc == 0x25) return verdict::no_medium;
      return s.asc == 0x21 ? verdict::out_of_range : verdict::failed;
    case unit_attention:
      if (s.asc == 0x29) return verdict::reset;
      if (s.asc == 0x3A) return verdict::no_medium;
      return s.asc == 0x28 ? verdict::medium_changed : verdict::attention;
    case data_protect: return s.asc == 0x27 ? verdict::write_protected : verdict::failed;
    default: return verdict::retry;  // medium error, hardware error, aborted command and others
  }
}

// SPC-4, 7.5.3 and 7.5.7: a header, block descriptors, pages. A page begins with its number and the
// number of bytes that follow, which has two bytes in a subpage. Page 0 is the last one and may
// have any form.
bool parse_mode_sense(std::span<const byte> data, disk_facts& to) {
  constexpr u8 caching = 0x08, number = 0x3F, has_subpage = 0x40;
  if (data.size() < 4) return false;
  const auto at = [&](size_t i) { return static_cast<u8>(data[i]); };
  to.write_protected = (at(2) & 0x80) != 0;
  const size_t end = std::min(data.size(), size_t{at(0)} + 1);
  for (size_t page = 4 + size_t{at(3)}; page + 2 < end;) {
    const u8 first = at(page) & (number | has_subpage);
    if (first == caching) to.write_cache = (at(page + 2) & 0x04) != 0;
    if (first == 0) break;
    const bool long_form = (first & has_subpage) != 0 && page + 3 < end;
    page += long_form ? 4 + (size_t{at(page + 2)} << 8 | at(page + 3)) : 2 + size_t{at(page + 1)};
  }
  return true;
}

scsi_command read_write_10(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments, std::span<const byte> head) {
  const u32 at = first.value();
  scsi_command c =
      command_of({write ? opcode::write_10 : opcode::read_10, 0, static_cast<u8>(at >> 24),
                  static_cast<u8>(at >> 16), static_cast<u8>(at >> 8), static_cast<u8>(at), 0,
                  static_cast<u8>(sectors >> 8), static_cast<u8>(sectors), 0});
  c.data = write ? direction::out : direction::in;
  c.segments = segments;
  c.head = head;
  c.length = sectors * SECTOR_SIZE;
  c.timeout = 30_s;
  return c;
}

// --- running a command ---

std::array<char, 24> scsi_disk::name() const {
  std::array<char, 24> text{};
  const device_facts& facts = device().facts;
  text_sink to(text);
  to.print("usb %u-%u", facts.bus, facts.port);
  if (number_ > 0) to.print(" unit %u", number_);
  return text;
}

// Sends a command once, to this unit.
result<command_reply> scsi_disk::send(scsi_command command) {
  command.unit = number_;
  return transport_.execute(command);
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
  // While it is made ready, the other units of its device wait for their turn.
  const bool hurried = !alone_ && phase_ == phase::getting_ready;
  const instant patience = now() + (hurried ? 200_ms : 30_s);
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
        if (now() >= patience) return fail(hurried ? error::ebusy : error::eio);
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

// Asks for data of this length, which come into the scratch memory; every device has at least
// `least` bytes. Returns how many bytes came.
result<u32> scsi_disk::ask(std::initializer_list<u8> cdb, u32 length, u32 least) {
  const dma_segment segment = transport_.scratch_segment(length);
  scsi_command c = command_of(cdb);
  c.data = direction::in;
  c.segments = {&segment, 1};
  c.length = length;
  c.head = transport_.scratch().first(length);
  c.least = least;
  return run(c);
}

// --- getting ready ---

// Old devices give less than 36 bytes; five tell how many there are (SPC-4, 6.4.2). A direct-access
// device that is connected has a 0 in the first one.
result<void> scsi_disk::inquire(disk_facts& to) {
  constexpr u32 least = 5;
  standard_inquiry reply{};
  const u32 length = TRY(ask({opcode::inquiry, 0, 0, 0, sizeof(reply), 0}, sizeof(reply), least));
  if (length < least) return fail(error::eproto);
  std::memcpy(&reply, transport_.scratch().data(), length);
  if (reply.device_type != 0) return fail(error::enotsup);
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
  if (ready || (ready.error() != error::eio && ready.error() != error::ebusy)) return ready;
  // Whether it was started is seen by its readiness: not every device knows the command.
  const result<u32> started = run(command_of({opcode::start_stop_unit, 0, 0, 0, 1, 0}));
  if (!started && ends_the_plug(started.error())) return fail(started.error());
  return test_ready();
}

// READ CAPACITY(10), and (16) for a disk that is too large for it (SBC-3, 5.12 and 5.13).
result<capacity_16_reply> scsi_disk::ask_capacity() {
  capacity_reply small;
  if (TRY(ask({opcode::read_capacity_10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, sizeof(small),
              sizeof(small))) < sizeof(small))
    return fail(error::eproto);
  std::memcpy(&small, transport_.scratch().data(), sizeof(small));
  if (small.last_lba != 0xFFFF'FFFF)
    return capacity_16_reply{u64{small.last_lba}, small.block_size};
  constexpr u8 length = 32;
  capacity_16_reply large;
  if (TRY(ask({opcode::service_action_in_16, opcode::read_capacity_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
               0, length, 0, 0},
              length)) < sizeof(large))
    return fail(error::eproto);
  std::memcpy(&large, transport_.scratch().data(), sizeof(large));
  return large;
}

// A sector's number has 32 bits in the block layer (lba), so of a disk of more than 2 TiB a part is
// used. READ(10) and WRITE(10) reach as far.
result<void> scsi_disk::read_capacity(disk_facts& to) {
  constexpr u64 most_sectors = 0xFFFF'FFFF;
  const capacity_16_reply capacity = TRY(ask_capacity());
  if (capacity.block_size != SECTOR_SIZE) {
    printk("%s: sectors of %u bytes are not supported\n", name().data(),
           static_cast<u32>(capacity.block_size));
    return fail(error::enotsup);
  }
  const u64 sectors = capacity.last_lba + 1;  // 0 for the largest number that can be told
  if (sectors < SECTORS_PER_BLOCK) {
    printk("%s: a medium of this size is not supported\n", name().data());
    return fail(error::enotsup);
  }
  if (sectors > most_sectors)
    printk("%s: a medium of %u GiB: only the first 2 TiB are used\n", name().data(),
           static_cast<u32>(sectors >> 21));
  to.sectors = static_cast<u32>(std::min(sectors, most_sectors));
  return {};
}

// Some devices tell the number of sectors in place of the last sector's address: one too many.
result<void> scsi_disk::check_last_sector(disk_facts& to) {
  const dma_segment segment = transport_.scratch_segment(SECTOR_SIZE);
  const scsi_command c = read_write_10(false, lba{to.sectors - 1}, 1, {&segment, 1},
                                       transport_.scratch().first(SECTOR_SIZE));
  const result<u32> read = run(c);
  if (!read && ends_the_plug(read.error())) return fail(read.error());
  if (!read && read.error() == error::erange) --to.sectors;
  return {};
}

// All pages and 192 bytes: Windows and Linux ask for them, so that is what devices know. One that
// fails is taken to be writable and to have a write cache.
result<void> scsi_disk::read_modes(disk_facts& to) {
  constexpr u8 all_pages = 0x3F, length = 192;
  const result<u32> came = ask({opcode::mode_sense_6, 0, all_pages, 0, length, 0}, length);
  if (!came && ends_the_plug(came.error())) return fail(came.error());
  if (came) static_cast<void>(parse_mode_sense(transport_.scratch().first(*came), to));
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
  static_cast<void>(take_cache_doubt());  // nothing has been written yet
  return facts;
}

// --- in use ---

result<void> scsi_disk::read_write(bool write, lba first, u32 sectors,
                                   std::span<const dma_segment> segments,
                                   std::span<const byte> head) {
  const scsi_command c = read_write_10(write, first, sectors, segments, head);
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
    printk("%s: no SYNCHRONIZE CACHE; taken to write through\n", name().data());
    no_synchronize_ = true;
    return {};
  }
  return fail(as_told(done.error()));
}

}  // namespace usb::storage
