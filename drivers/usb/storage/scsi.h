// SCSI commands for a disk (SPC-4, SBC-3), and what is done when one fails.
//
// A failed command comes back from the transport with sense data. `verdict` is their meaning.
//
// Some answers end the plug, as if the stick had been pulled and plugged in again: the medium was
// changed or taken out, or the device was reset by itself (06/29). The caller announces a new
// arrival, and the upper layers verify the medium's content as after every other pull.
// - A device that takes media tells an exchange once. If the sense data of a failure are lost, or
//   are a unit attention of another kind, they may have been that: the command is not sent again.
//   A device that fails so in one short plug after another has no such reason, and the fourth
//   failure is an error.
// - A reset by the driver, for another unit perhaps, may clear the news of an exchange; so the plug
//   of a medium that can be exchanged ends. No command is sent again after it. A place at which
//   three plugs have ended so is bad: for some time its READs or WRITEs fail without being sent.
// - A device that takes no media tells of the driver's reset, too (06/29). Until a command
//   succeeds, this ends no plug.
//
// A unit that answers one command after another only with a reset is given up. So is one that
// answers all commands of one kind so, though it answers others (trouble.h).
//
// Two questions of an examination are not necessary: for the mode pages and for the last sector. If
// a device hangs on one of them, twice, it is not asked this any more, as long as it has the same
// medium.
//
// After each of three events the device may have dropped completed writes from its write cache. The
// writes must be made again before a flush can prove them durable:
// - SYNCHRONIZE CACHE has failed, in any way. It is not tried again here: the second one would
//   succeed, because the device has nothing left to write.
// - A deferred error (SPC-4, 4.5.5): a command that had succeeded has failed later. A failure
//   without sense data may be one.
// - The driver has reset the device, after a failure of the transport; of another unit, perhaps.
#pragma once

#include <initializer_list>
#include <span>
#include <utility>

#include "drivers/usb/storage/medium.h"
#include "drivers/usb/storage/sense.h"
#include "drivers/usb/storage/transport.h"
#include "drivers/usb/storage/trouble.h"
#include "lib/ids.h"

namespace usb::storage {

namespace opcode {
constexpr u8 test_unit_ready = 0x00, inquiry = 0x12, mode_sense_6 = 0x1A, start_stop_unit = 0x1B,
             read_capacity_10 = 0x25, read_10 = 0x28, write_10 = 0x2A, synchronize_cache_10 = 0x35,
             read_16 = 0x88, write_16 = 0x8A, service_action_in_16 = 0x9E;
constexpr u8 read_capacity_16 = 0x10;  // a service action
}  // namespace opcode

// A command with this command block, without data.
scsi_command command_of(std::initializer_list<u8> cdb);

// Whether the medium has left, or perhaps was exchanged, or the device has left with it.
inline bool ends_the_plug(error e) { return e == error::enodev || e == error::enomedium; }

struct standard_inquiry {
  u8 device_type, removable, version, format, additional_length, flags[3];
  std::array<byte, 8> vendor;
  std::array<byte, 16> product;
  std::array<byte, 4> revision;
};
static_assert(sizeof(standard_inquiry) == 36);

struct capacity_reply {
  be32 last_lba, block_size;
};
static_assert(sizeof(capacity_reply) == 8);

// The beginning of what READ CAPACITY(16) answers; the rest tells of protection and provisioning.
struct capacity_16_reply {
  be64 last_lba;
  be32 block_size;
};
static_assert(sizeof(capacity_16_reply) == 12);

// What SCSI tells about a disk.
struct disk_facts {
  std::array<char, 9> vendor{};
  std::array<char, 17> product{};
  bool removable_medium = false;
  u32 sectors = 0;  // of 512 bytes; those that are used
  bool write_protected = false;
  bool write_cache = true;   // also when the device does not tell
  bool tells_cache = false;  // it tells whether it has one
};

// Reads the answer to MODE SENSE(6): the header, and the caching page if it is among the pages.
// False for a malformed answer.
bool parse_mode_sense(std::span<const byte> data, disk_facts& to);

// The command blocks of READ and WRITE with 10 and with 16 bytes (SBC-3, 5.11, 5.15, 5.40, 5.44).
// `head`: the beginning of the first segment, in the kernel's memory.
scsi_command read_write_10(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments, std::span<const byte> head = {});
scsi_command read_write_16(bool write, lba first, u32 sectors,
                           std::span<const dma_segment> segments, std::span<const byte> head = {});

class scsi_disk {
 public:
  // A logical unit of the device. `alone`: it has no other one.
  scsi_disk(transport& carrier, u8 number, bool alone)
      : transport_(carrier), number_(number), alone_(alone) {}
  host_device& device() const { return transport_.device(); }
  u8 number() const { return number_; }
  // Its name on the console.
  std::array<char, 24> name() const;

  // Makes the disk ready for reading and writing. Sleeps. Errors: enomedium and ebusy (ask again
  // later), enotsup for a disk that this driver cannot use or a question that was refused, eio,
  // enodev.
  result<disk_facts> make_ready();
  // Whether the device takes one medium after another; known after make_ready(), also when that has
  // failed for the medium.
  bool takes_media() const { return takes_media_; }
  // Whether it is a disk; known after make_ready().
  bool is_disk() const { return is_disk_; }
  // Whether make_ready() has found a disk that this driver cannot use, as it is now.
  bool is_of_no_use() const { return of_no_use_; }

  // Errors of these three: enomedium (the plug has ended, see above), erofs, eio, enodev, enomem
  // (the command was not sent), ebusy (it was not executed: ask again in some time). Transient
  // failures are retried. All sleep.
  // read_write: eio may concern only some of the sectors. eproto does not: the device told of other
  // things each time.
  result<void> read_write(bool write, lba first, u32 sectors, std::span<const dma_segment> segments,
                          std::span<const byte> head);
  // After success, all completed writes are durable, if take_cache_doubt() is false, and after
  // settling_time(). A device that does not know the command is taken to write through, unless it
  // has executed it before.
  result<void> synchronize_cache();
  // How long a device without that command may need, after the status of a WRITE, until the data
  // are durable: losses were seen up to 0.7 s behind it. 0: it knows the command, or tells that it
  // has no write cache.
  duration settling_time() const { return no_synchronize_ && !no_cache_ ? 1_s : duration{}; }
  result<void> test_ready();

  // A command of this kind for these sectors was tried for too long, and the unit is not ready
  // (ebusy): the caller ends the plug. Sleeps when the device is let go.
  void note_delay(command_kind kind, sector_range at);

  // The commands in a row that ended only by a reset of the device.
  u32 hangs() const { return trouble_.hangs_in_a_row(); }
  // How long a unit that shares its device rests after a command that ended so: the others need
  // some time without a reset. It grows with the commands of one kind that end so, until one
  // succeeds.
  duration rest_after_hang() const;
  // Whether our own reset of the device explains that it tells of one: no command has succeeded
  // since.
  bool expects_attention() const { return resets_answered_ != transport_.resets(); }
  // The times the device was reset, for any unit.
  u32 resets() const { return transport_.resets(); }
  // Four examinations have hung, one after another.
  bool hangs_when_examined() const { return trouble_.hangs_when_examined(); }
  // There were too many hangs: nothing more is to be sent.
  bool given_up() const { return given_up_; }
  // Why it cannot be used, after make_ready() has failed or when it is given up.
  const char* obstacle() const { return obstacle_ ? obstacle_ : "it cannot be examined"; }

  // Whether completed writes may be lost (see above). True once for each event.
  bool take_cache_doubt() {
    if (std::exchange(resets_seen_, transport_.resets()) != transport_.resets())
      cache_doubt_ = true;
    return std::exchange(cache_doubt_, false);
  }

 private:
  // What examinations have found out about the device with the medium that is in it.
  struct lessons {
    bool knows_no_16 = false;  // it refuses READ(16), or hangs on it
    // How often it has hung on the question, also in several examinations.
    u32 hangs_on_modes = 0, hangs_on_last_sector = 0;
    u32 times_busy_at_modes = 0;
    u32 one_too_many = 0;  // a number of sectors that it has told, and that was wrong
  };

  // A unit attention is normal while the disk is made ready. In use it ends the plug; a medium of
  // no use is in use as well until it is taken out.
  enum class phase : u8 { getting_ready, in_use };

  // What is done after a command has failed. do_without: it is tried again, and if it hangs, this
  // counts for nothing.
  enum class after_failure : u8 { try_again, give_up, do_without };
  static constexpr u32 max_transport_failures = 2;

  result<u32> run(const scsi_command& command, after_failure what = after_failure::try_again);
  result<u32> try_to_run(const scsi_command& command, after_failure what);
  result<void> decide(verdict v, const scsi_command& command, after_failure what);
  bool is_exchange(verdict v, const scsi_command& command);
  bool may_be_exchanged() const;
  result<void> note_lost_answer(const scsi_command& command);
  command_kind kind_of(const scsi_command& command) const;
  bool is_held_back(const scsi_command& command) const;
  void note_success(const scsi_command& command);
  bool give_up_if_hopeless();
  result<void> note_hang(const scsi_command& command, after_failure what);
  result<command_reply> send(scsi_command command);
  scsi_command read_write_command(bool write, lba first, u32 sectors,
                                  std::span<const dma_segment> segments,
                                  std::span<const byte> head) const {
    return (use_16_for_rw_ ? read_write_16 : read_write_10)(write, first, sectors, segments, head);
  }
  verdict judge_failure(std::span<const byte> data);
  result<void> start_if_needed();
  result<void> flush_nothing();
  result<u32> ask(std::initializer_list<u8> cdb, u32 length, u32 least = 0,
                  after_failure what = after_failure::try_again);
  result<disk_facts> examine();
  result<disk_facts> examine_one_medium();
  result<standard_inquiry> ask_identity();
  result<void> inquire(disk_facts& to);
  result<void> wait_until_ready();
  void note_no_medium();
  examination outcome_of(const result<disk_facts>& facts, u32 resets_before) const;
  void note_ready();
  void note_change();
  void note_size(u64 bytes);
  void forget_medium();
  result<void> cannot_use(const char* why);
  result<void> refuse_size();
  result<void> read_capacity(disk_facts& to);
  result<capacity_16_reply> ask_capacity();
  result<void> check_last_sector(disk_facts& to);
  result<u32> read_last_sector(const disk_facts& of);
  result<void> read_modes(disk_facts& to);

  transport& transport_;
  u8 number_;
  bool alone_;
  phase phase_ = phase::getting_ready;
  bool is_disk_ = true;
  bool takes_media_ = false;
  bool use_16_for_rw_ = false;   // of a medium that is too large for READ CAPACITY(10)
  bool usable_ = false;          // its medium has arrived, or could arrive
  bool of_no_use_ = false;       // as it is, not as an examination has failed
  bool medium_changed_ = false;  // since it was ready: its facts may be those of two media
  bool synchronizes_ = false;    // it has executed SYNCHRONIZE CACHE
  bool no_synchronize_ = false;  // it does not know it
  bool tells_cache_ = false;     // its mode pages tell of a write cache
  bool no_cache_ = false;        // they tell that it has none
  bool needs_start_ = false;     // it waits for START STOP UNIT
  bool given_up_ = false;
  const char* obstacle_ = nullptr;
  bool cache_doubt_ = false;
  medium_record medium_;
  trouble_record trouble_;
  lessons learnt_;
  u32 resets_answered_ = 0;  // resets() of the transport at the last success
  u32 resets_seen_ = 0;      // of the transport
};

}  // namespace usb::storage
