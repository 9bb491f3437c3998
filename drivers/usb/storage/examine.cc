// How a disk is made ready: what it is, whether it has a medium, and what that is like.
#include <algorithm>
#include <cstring>

#include "drivers/usb/storage/scsi.h"
#include "hal/clock.h"
#include "hal/log.h"

namespace usb::storage {

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
    if (first == caching) {
      to.write_cache = (at(page + 2) & 0x04) != 0;
      to.tells_cache = true;
    }
    if (first == 0) break;
    const bool long_form = (first & has_subpage) != 0 && page + 3 < end;
    page += long_form ? 4 + (size_t{at(page + 2)} << 8 | at(page + 3)) : 2 + size_t{at(page + 1)};
  }
  return true;
}

// Nothing will change that, so lsusb shows it.
result<void> scsi_disk::cannot_use(const char* why) {
  obstacle_ = why;
  of_no_use_ = true;
  return fail(error::enotsup);
}

// Old devices give less than 36 bytes; five tell how many there are (SPC-4, 6.4.2). An answer that
// was cut off is asked for again: half of a name would be another stick's. A device that always has
// less than it tells is taken as it is.
result<standard_inquiry> scsi_disk::ask_identity() {
  constexpr u32 least = 5;
  standard_inquiry reply{};
  const auto inquiry = [&](u32 wanted) {
    return ask({opcode::inquiry, 0, 0, 0, sizeof(reply), 0}, sizeof(reply), wanted);
  };
  const u32 length = TRY(inquiry(least));
  std::memcpy(&reply, transport_.scratch().data(), length);
  const u32 told = std::min<u32>(sizeof(reply), least + reply.additional_length);
  if (length >= told) return reply;
  const result<u32> whole = inquiry(told);
  if (!whole && whole.error() != error::eio) return fail(whole.error());
  if (whole) std::memcpy(&reply, transport_.scratch().data(), *whole);
  return reply;
}

// A direct-access device that is connected has a 0 in the first byte. The unit may also tell there
// that none is connected now (SPC-4, 6.4.2): a slot without a card.
result<void> scsi_disk::inquire(disk_facts& to) {
  constexpr u8 disk = 0, unconnected_disk = 0x20;
  const standard_inquiry reply = TRY(ask_identity());
  if (reply.device_type == unconnected_disk) {
    note_no_medium();
    return fail(error::enomedium);
  }
  is_disk_ = reply.device_type == disk;
  if (!is_disk_) return cannot_use("it is no disk");
  to.removable_medium = takes_media_ = (reply.removable & 0x80) != 0;
  field_to_ascii(reply.vendor, to.vendor);
  field_to_ascii(reply.product, to.product);
  return {};
}

result<void> scsi_disk::test_ready() {
  TRY(run(command_of({opcode::test_unit_ready, 0, 0, 0, 0, 0})));
  note_ready();
  return {};
}

// A disk that says it is ready may have told a later question that it waits to be started. One that
// has hung is not started: that would take a minute from the other units.
result<void> scsi_disk::wait_until_ready() {
  TRY(start_if_needed());
  const u32 resets_before = resets();
  const result<void> ready = test_ready();
  if (ready || (ready.error() != error::eio && ready.error() != error::ebusy)) return ready;
  if (resets() != resets_before) return ready;
  needs_start_ = true;
  TRY(start_if_needed());
  return test_ready();
}

// Whether it was started is seen by its readiness: not every device knows the command. A disk needs
// 6 to 15 seconds. It should answer at once and tell that it is becoming ready (SBC-3, 5.25); some
// answer when they are ready.
result<void> scsi_disk::start_if_needed() {
  if (!std::exchange(needs_start_, false)) return {};
  constexpr u8 immediately = 1, start = 1;
  scsi_command c = command_of({opcode::start_stop_unit, immediately, 0, 0, start, 0});
  c.timeout = 30_s;
  const result<u32> started = run(c);
  if (!started && ends_the_plug(started.error())) return fail(started.error());
  return {};
}

// READ CAPACITY(10), and (16) for a disk that is too large for it (SBC-3, 5.12 and 5.13).
result<capacity_16_reply> scsi_disk::ask_capacity() {
  capacity_reply small;
  TRY(ask({opcode::read_capacity_10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, sizeof(small), sizeof(small)));
  std::memcpy(&small, transport_.scratch().data(), sizeof(small));
  if (small.last_lba != 0xFFFF'FFFF)
    return capacity_16_reply{u64{small.last_lba}, small.block_size};
  constexpr u8 length = 32;
  capacity_16_reply large;
  TRY(ask({opcode::service_action_in_16, opcode::read_capacity_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
           length, 0, 0},
          length, sizeof(large)));
  std::memcpy(&large, transport_.scratch().data(), sizeof(large));
  return large;
}

// Some readers tell so of a card that they do not know yet, so they are asked again.
result<void> scsi_disk::refuse_size() {
  constexpr const char* why = "a medium of this size is not supported";
  if (!takes_media_) {
    printk("%s: %s\n", name().data(), why);
    return cannot_use(why);
  }
  obstacle_ = why;
  return fail(error::eio);
}

// A sector's number has 32 bits in the block layer (lba), so of a disk of more than 2 TiB a part is
// used. READ(10) and WRITE(10) would reach as far, but other hosts move the data of such a disk
// with the commands of 16 bytes, so these are what it is tested with.
result<void> scsi_disk::read_capacity(disk_facts& to) {
  constexpr u64 most_sectors = 0xFFFF'FFFF;
  obstacle_ = "it does not tell its capacity";  // if this ends here
  const capacity_16_reply capacity = TRY(ask_capacity());
  obstacle_ = nullptr;
  const u64 sectors = capacity.last_lba + 1;  // 0 for the largest number that can be told
  if (sectors < SECTORS_PER_BLOCK || capacity.block_size == 0) return refuse_size();
  if (capacity.block_size != SECTOR_SIZE) {
    printk("%s: sectors of %u bytes are not supported\n", name().data(),
           static_cast<u32>(capacity.block_size));
    return cannot_use(capacity.block_size == 4096 ? "sectors of 4096 bytes are not supported"
                                                  : "sectors of this size are not supported");
  }
  note_size(sectors * SECTOR_SIZE);
  if (sectors > most_sectors)
    printk("%s: a medium of %u GiB: only the first 2 TiB are used\n", name().data(),
           static_cast<u32>(sectors >> 21));
  use_16_for_rw_ = sectors > most_sectors && !learnt_.knows_no_16;
  to.sectors = static_cast<u32>(std::min(sectors, most_sectors));
  return {};
}

// Some devices tell the number of sectors in place of the last sector's address: one too many. This
// is remembered: a disk of another size would be another disk to the layers above, so a read that
// fails in another way the next time must change nothing. A disk that does not know READ(16) is
// used by the commands of 10 bytes, which reach all that is used of it.
result<void> scsi_disk::check_last_sector(disk_facts& to) {
  if (to.sectors == learnt_.one_too_many) {
    --to.sectors;
    return {};
  }
  if (learnt_.hangs_on_last_sector >= max_transport_failures) return {};
  const result<u32> read = read_last_sector(to);
  const bool hangs = learnt_.hangs_on_last_sector >= max_transport_failures;
  if (use_16_for_rw_ && !read && (read.error() == error::enotsup || hangs)) {
    learnt_.knows_no_16 = true;
    use_16_for_rw_ = false;
  }
  if (!read && ends_the_plug(read.error())) return fail(read.error());
  if (!read && read.error() == error::erange) learnt_.one_too_many = to.sectors--;
  return {};
}

result<u32> scsi_disk::read_last_sector(const disk_facts& of) {
  const u32 resets_before = transport_.resets();
  const dma_segment segment = transport_.scratch_segment(SECTOR_SIZE);
  scsi_command c = read_write_command(false, lba{of.sectors - 1}, 1, {&segment, 1},
                                      transport_.scratch().first(SECTOR_SIZE));
  c.timeout = 5_s;
  const result<u32> read = run(c, after_failure::do_without);
  learnt_.hangs_on_last_sector += transport_.resets() - resets_before;
  return read;
}

// All pages and 192 bytes: Windows and Linux ask for them, so that is what devices know. One that
// fails is taken to be writable and to have a write cache; one that is becoming ready has time.
result<void> scsi_disk::read_modes(disk_facts& to) {
  constexpr u8 all_pages = 0x3F, length = 192;
  constexpr u32 patience = 30;
  if (learnt_.hangs_on_modes >= max_transport_failures) return {};
  const u32 resets_before = transport_.resets();
  const result<u32> came =
      ask({opcode::mode_sense_6, 0, all_pages, 0, length, 0}, length, 0, after_failure::do_without);
  learnt_.hangs_on_modes += transport_.resets() - resets_before;
  const bool busy = came == fail(error::ebusy) && ++learnt_.times_busy_at_modes < patience;
  if (!came && (busy || ends_the_plug(came.error()))) return fail(came.error());
  if (came) static_cast<void>(parse_mode_sense(transport_.scratch().first(*came), to));
  return {};
}

// Reads the facts; medium_changed_ tells whether they are of one medium. The attention of a reset
// must not be left for later: there it would end the plug.
result<disk_facts> scsi_disk::examine() {
  disk_facts facts;
  TRY(inquire(facts));
  TRY(wait_until_ready());
  medium_changed_ = false;
  TRY(read_capacity(facts));
  TRY(read_modes(facts));
  TRY(check_last_sector(facts));
  if (takes_media_ && expects_attention()) TRY(test_ready());
  return facts;
}

// A device that reports a change every time is used all the same. But a reset may hide a real one:
// the facts could be of two media.
result<disk_facts> scsi_disk::examine_one_medium() {
  constexpr int max_tries = 3;
  for (int tries = 1;; ++tries) {
    const u32 resets_before = resets();
    const disk_facts facts = TRY(examine());
    if (!medium_changed_) return facts;
    if (tries < max_tries) continue;
    if (resets() != resets_before) return fail(error::ebusy);
    return facts;
  }
}

examination scsi_disk::outcome_of(const result<disk_facts>& facts, u32 resets_before) const {
  if (facts || of_no_use_) return examination::answered;
  if (resets() != resets_before) return examination::hung;
  const bool absent = facts.error() == error::enomedium || facts.error() == error::ebusy;
  return absent ? examination::absent : examination::answered;
}

result<disk_facts> scsi_disk::make_ready() {
  phase_ = phase::getting_ready;
  no_synchronize_ = false;  // that was of another medium
  obstacle_ = nullptr;
  of_no_use_ = false;
  const u32 resets_before = resets();
  const result<disk_facts> facts = examine_one_medium();
  phase_ = phase::in_use;
  usable_ = facts.has_value();
  trouble_.note_examination(outcome_of(facts, resets_before));
  trouble_.begin_plug();
  tells_cache_ = facts && facts->tells_cache && facts->write_cache;
  no_cache_ = facts && facts->tells_cache && !facts->write_cache;
  static_cast<void>(take_cache_doubt());  // nothing has been written yet
  return facts;
}

}  // namespace usb::storage
