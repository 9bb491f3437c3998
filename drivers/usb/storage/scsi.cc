#include "drivers/usb/storage/scsi.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/log.h"

namespace usb::storage {

namespace {

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

}  // namespace

scsi_command command_of(std::initializer_list<u8> cdb) {
  scsi_command c;
  std::copy(cdb.begin(), cdb.end(), c.cdb.begin());
  c.cdb_length = static_cast<u8>(cdb.size());
  return c;
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
