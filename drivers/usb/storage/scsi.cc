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
    case error::enomem:
    case error::eproto:
    case error::ebusy: return e;
    default: return error::eio;
  }
}

bool is_read(u8 operation) { return operation == opcode::read_10 || operation == opcode::read_16; }
bool is_write(u8 operation) {
  return operation == opcode::write_10 || operation == opcode::write_16;
}
bool moves_sectors(const scsi_command& c) { return is_read(c.cdb[0]) || is_write(c.cdb[0]); }

// The sectors that a READ or WRITE moves; none of any other command.
sector_range sectors_of(const scsi_command& c) {
  const u64 first = c.first.value();
  return {first, first + c.sectors};
}

// What does not depend on the form of the command block.
void add_data(scsi_command& c, bool write, lba first, u32 sectors,
              std::span<const dma_segment> segments, std::span<const byte> head) {
  c.first = first;
  c.sectors = sectors;
  c.data = write ? direction::out : direction::in;
  c.segments = segments;
  c.head = head;
  c.length = sectors * SECTOR_SIZE;
  c.timeout = 30_s;
}

// The bytes with which a success is whole. A command of which fewer count is sent once more: Linux
// asks for the missing piece again.
u32 least_answer(const scsi_command& c) { return moves_sectors(c) ? c.length : c.least; }

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
  add_data(c, write, first, sectors, segments, head);
  return c;
}

scsi_command read_write_16(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments, std::span<const byte> head) {
  const u32 at = first.value();
  scsi_command c = command_of({write ? opcode::write_16 : opcode::read_16, 0, 0, 0, 0, 0,
                               static_cast<u8>(at >> 24), static_cast<u8>(at >> 16),
                               static_cast<u8>(at >> 8), static_cast<u8>(at),
                               static_cast<u8>(sectors >> 24), static_cast<u8>(sectors >> 16),
                               static_cast<u8>(sectors >> 8), static_cast<u8>(sectors), 0, 0});
  add_data(c, write, first, sectors, segments, head);
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

// What an unexplained failure may be: a deferred error, or the news of an exchange.
verdict scsi_disk::judge_failure(std::span<const byte> data) {
  const verdict v = is_sense(data) ? judge(parse_sense(data)) : verdict::unexplained;
  if (v == verdict::unexplained) cache_doubt_ = true;
  const bool reset = v == verdict::reset && takes_media_;  // it may have cleared the news
  if (phase_ == phase::getting_ready &&
      (v == verdict::unexplained || v == verdict::other_attention || v == verdict::medium_changed ||
       reset))
    medium_changed_ = true;
  needs_start_ = v == verdict::needs_start;
  if (v == verdict::medium_changed) note_change();
  return v;
}

// Whether the plug ends because the medium may have been exchanged and the news of it lost. What
// the command moves is a suspect then: it may be a place that fails without a reason.
bool scsi_disk::is_exchange(verdict v, const scsi_command& command) {
  if (v == verdict::medium_changed) return phase_ == phase::in_use;
  const bool perhaps = v == verdict::unexplained || v == verdict::other_attention;
  if (!perhaps || phase_ != phase::in_use || !takes_media_) return false;
  if (!trouble_.may_be_an_exchange()) return false;
  trouble_.note_end(kind_of(command), sectors_of(command));
  printk("%s: a failure without a reason; its medium is looked at anew\n", name().data());
  return true;
}

// An examination tells nothing of how the unit does in use: its READ is of one sector, and it sends
// TEST UNIT READY at once after other commands.
command_kind scsi_disk::kind_of(const scsi_command& command) const {
  if (phase_ == phase::getting_ready) return command_kind::examination;
  const u8 operation = command.cdb[0];
  if (is_read(operation)) return command_kind::read;
  if (is_write(operation)) return command_kind::write;
  return operation == opcode::synchronize_cache_10 ? command_kind::flush : command_kind::other;
}

// Alone, a unit that is given up counts as pulled.
bool scsi_disk::give_up_if_hopeless() {
  const char* const why = trouble_.reason_to_give_up();
  if (!why) return false;
  printk("%s: %s, and is given up\n", name().data(), why);
  given_up_ = true;
  obstacle_ = why;
  if (!alone_) return true;
  device().facts.unused = why;
  device().release();
  return true;
}

// The transport has failed: the device was reset, and the command may have been executed.
result<void> scsi_disk::note_hang(const scsi_command& command, after_failure what) {
  if (what == after_failure::do_without) return {};
  trouble_.note_hang(kind_of(command));
  return give_up_if_hopeless() ? fail(error::enodev) : result<void>{};
}

void scsi_disk::note_delay(command_kind kind, sector_range at) {
  printk("%s: not ready for half a minute; its medium is looked at anew\n", name().data());
  trouble_.note_delay(kind);
  trouble_.note_end(kind, at);
  static_cast<void>(give_up_if_hopeless());
}

// A command was executed successfully. A unit attention would have been told in its place.
void scsi_disk::note_success(const scsi_command& command) {
  resets_answered_ = transport_.resets();
  trouble_.note_success(kind_of(command), sectors_of(command));
}

// Whether the device was reset while a medium is in use that can be exchanged: there may have been
// news of an exchange, and the reset has cleared them.
bool scsi_disk::may_be_exchanged() const {
  return phase_ == phase::in_use && usable_ && takes_media_ && expects_attention();
}

// The transport has failed. Without an error the command may be sent again.
result<void> scsi_disk::note_lost_answer(const scsi_command& command) {
  if (phase_ == phase::getting_ready && takes_media_) medium_changed_ = true;
  if (!may_be_exchanged()) return {};
  trouble_.note_end(kind_of(command), sectors_of(command));
  printk("%s: an answer was lost; its medium is looked at anew\n", name().data());
  return fail(error::enomedium);
}

void scsi_disk::note_no_medium() {
  trouble_.note_no_medium();
  if (medium_.note_none(resets())) forget_medium();
}

void scsi_disk::note_ready() {
  if (medium_.note_ready(resets())) forget_medium();
}

void scsi_disk::note_change() {
  if (medium_.note_change(resets())) forget_medium();
}

void scsi_disk::note_size(u64 bytes) {
  if (medium_.note_size(bytes)) forget_medium();
}

void scsi_disk::forget_medium() {
  trouble_.forget_medium();
  learnt_ = {};
  synchronizes_ = false;
}

duration scsi_disk::rest_after_hang() const { return alone_ ? duration{} : trouble_.rest(); }

// What follows from a failure that the device has told: an error ends the command; otherwise it may
// be sent again.
result<void> scsi_disk::decide(verdict v, const scsi_command& command, after_failure what) {
  const bool final = what == after_failure::give_up;
  if (is_exchange(v, command)) return fail(error::enomedium);
  switch (v) {
    case verdict::attention: return {};
    case verdict::other_attention:
      return phase_ == phase::in_use && takes_media_ ? fail(error::eio) : result<void>{};
    case verdict::unexplained:
      return final || (phase_ == phase::in_use && takes_media_) ? fail(error::eio) : result<void>{};
    case verdict::deferred: cache_doubt_ = true; [[fallthrough]];
    case verdict::bad_place:
    case verdict::retry: return final ? fail(error::eio) : result<void>{};
    case verdict::becoming_ready:
    case verdict::needs_start: return fail(error::ebusy);
    case verdict::reset:
      return phase_ == phase::in_use && !expects_attention() ? fail(error::enomedium)
                                                             : result<void>{};
    case verdict::medium_changed: return {};
    case verdict::no_medium: note_no_medium(); return fail(error::enomedium);
    case verdict::write_protected: return fail(error::erofs);
    case verdict::not_supported: return fail(error::enotsup);
    case verdict::out_of_range: return fail(error::erange);
    case verdict::recovered:
    case verdict::failed: break;
  }
  return fail(error::eio);
}

// A command for a bad place is not sent. Of several blocks among which there is a suspect each is
// moved alone: so the suspect becomes a single block, and its neighbours are moved.
bool scsi_disk::is_held_back(const scsi_command& command) const {
  const command_kind kind = kind_of(command);
  const sector_range at = sectors_of(command);
  const bool several = at.end - at.first > SECTORS_PER_BLOCK;
  return trouble_.is_bad(kind, at) || (several && trouble_.has_suspect(kind, at));
}

// Runs a command until it has succeeded, or fails for good, or the device needs time (ebusy). One
// unit attention is normal; before further ones there is more and more time.
result<u32> scsi_disk::try_to_run(const scsi_command& command, after_failure what) {
  constexpr int max_tries = 5;
  constexpr u32 max_short_answers = 2;
  if (is_held_back(command)) return fail(error::eio);
  u32 transport_failures = 0, short_answers = 0;
  duration rest{};        // before the next try
  bool has_news = false;  // instead of an answer: a unit attention
  for (int tries = 0; tries < max_tries; ++tries) {
    if (may_be_exchanged()) return fail(error::enomedium);
    if (transport_failures == max_transport_failures || short_answers == max_short_answers) {
      trouble_.note_end(kind_of(command), sectors_of(command));
      return fail(error::eio);
    }
    const u32 resets_before = transport_.resets();
    const result<command_reply> reply = send(command);
    has_news = false;
    if (!reply && (reply.error() == error::enodev || reply.error() == error::enomem))
      return fail(reply.error());
    if (transport_.resets() == resets_before) {
      trouble_.note_answer();
    } else {
      ++transport_failures;
      trouble_.note_reset();
      TRY(note_hang(command, what));
    }
    if (!reply) {
      TRY(note_lost_answer(command));
      if (what == after_failure::give_up) return fail(error::eio);
      continue;
    }
    const verdict why = reply->failed ? judge_failure(reply->sense) : verdict::recovered;
    if (why == verdict::recovered) {
      if (reply->actual < least_answer(command)) {
        ++short_answers;
        continue;
      }
      note_success(command);
      return reply->actual;
    }
    TRY(decide(why, command, what));
    has_news = why == verdict::attention || why == verdict::other_attention;
    if (!has_news) continue;
    if (tries + 1 < max_tries) transport_.pause(rest);
    rest = std::max(rest + rest, 100_ms);
  }
  return fail(has_news && moves_sectors(command) ? error::eproto : error::eio);
}

// Runs a command to its final outcome. While the disk is made ready, it is given time here: little
// when the other units of its device wait for their turn. In use the caller sees to that.
result<u32> scsi_disk::run(const scsi_command& command, after_failure what) {
  const instant patience = now() + (alone_ ? 30_s : 200_ms);
  for (;;) {
    const result<u32> outcome = try_to_run(command, what);
    if (outcome || outcome.error() != error::ebusy) return outcome;
    if (phase_ == phase::in_use || needs_start_) return outcome;
    if (now() >= patience) return fail(alone_ ? error::eio : error::ebusy);
    transport_.pause(100_ms);
  }
}

// Asks for data of this length, which come into the scratch memory; every device has at least
// `least` bytes. Returns how many bytes came.
result<u32> scsi_disk::ask(std::initializer_list<u8> cdb, u32 length, u32 least,
                           after_failure what) {
  const dma_segment segment = transport_.scratch_segment(length);
  scsi_command c = command_of(cdb);
  c.data = direction::in;
  c.segments = {&segment, 1};
  c.length = length;
  c.head = transport_.scratch().first(length);
  c.least = least;
  return run(c, what);
}

// --- in use ---

result<void> scsi_disk::read_write(bool write, lba first, u32 sectors,
                                   std::span<const dma_segment> segments,
                                   std::span<const byte> head) {
  TRY(start_if_needed());
  const scsi_command c = read_write_command(write, first, sectors, segments, head);
  const result<u32> moved = run(c);
  return moved ? result<void>{} : fail(as_told(moved.error()));
}

// Without a write cache there is nothing to flush; but the medium may have left.
result<void> scsi_disk::flush_nothing() {
  const result<void> ready = test_ready();
  return ready ? ready : fail(as_told(ready.error()));
}

// After any failure, a pull included, nothing is known to be durable. The command is not tried
// again: the device may have dropped what it could not write, and a second try would succeed and
// hide that. A device that has executed the command and refuses it later has failed: only the first
// refusal says that there is no cache.
result<void> scsi_disk::synchronize_cache() {
  TRY(start_if_needed());
  if (no_synchronize_) return flush_nothing();
  scsi_command c = command_of({opcode::synchronize_cache_10, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  c.timeout = 60_s;
  const result<u32> done = run(c, after_failure::give_up);
  if (done) {
    synchronizes_ = true;
    return {};
  }
  if (done.error() == error::enotsup && !synchronizes_) {
    printk("%s: no SYNCHRONIZE CACHE; taken to write through%s\n", name().data(),
           tells_cache_ ? ", though it tells of a write cache" : "");
    no_synchronize_ = true;
    return {};
  }
  return fail(as_told(done.error()));
}

}  // namespace usb::storage
