// The disk inside a simulated stick (SPC-4, SBC-3), over a medium with a volatile write cache. A
// transport brings it commands and data, and asks for its status when it wants to send one.
//
// It behaves as a good device does: unit attention after power-on, a caching page that tells of the
// write cache, sense data for every refused command. A test can plan failures.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "tests/sim/medium.h"

namespace sim {

class scsi_target {
 public:
  struct sense {
    u8 key = 0, asc = 0, ascq = 0;
    bool deferred = false;  // an earlier write failed when it was moved out of the write cache
  };
  using command_block = std::span<const u8, 16>;

  // The length of the command blocks with this operation code (SPC-4, 4.2.5.1).
  static u32 length_of(u8 opcode) {
    return opcode < 0x20 ? 6 : opcode < 0x80 ? 10 : opcode < 0xA0 ? 16 : 12;
  }

  explicit scsi_target(medium& storage) : storage_(storage) {}

  void power_on();
  // The device was reset, by the host or by itself: a unit attention is told, once.
  void reset();
  // Begins a command; the host wants to move `length` bytes. Returns the data IN; none when the
  // command has failed.
  std::vector<byte> begin(command_block cdb, u32 length);
  // Takes data OUT, in parts of any length: each whole sector goes into the cache. False: pulled
  // here.
  bool take(std::span<const byte> data);
  // Does what is left before the status. `good`: the transport will report success so far. False:
  // pulled here.
  bool finish(bool good);
  bool failed() const { return failed_; }  // CHECK CONDITION; REQUEST SENSE tells why
  // CHECK CONDITION, but the command was executed, with its data (sense key 1).
  bool recovered() const { return failed_ && recovered_; }

  u8 opcode() const { return cdb_[0]; }
  bool used() const { return used_; }  // the first READ since power-on has come

  // --- trouble ---
  std::deque<sense> failures;            // each of the next commands fails with one of these
  std::map<u8, sense> never_succeeds;    // by operation code
  bool tells_of_resets = true;           // with a unit attention
  bool reset_clears_attentions = false;  // those not told yet (SAM-5, 5.14: a reset may)
  u8 fault_key = 3;  // a fault of the medium is a medium error, or of another sense key
  // The n-th command with this operation code from now on fails so, once.
  void fail_at(u8 opcode, u32 n, sense why) { planned_ = {opcode, n, why}; }

  // --- what it says of itself ---
  u32 block_size = SECTOR_SIZE;
  std::optional<u64> claimed_last_lba;
  bool removable_medium = false;
  bool tells_write_cache = true;
  u32 inquiry_length = 36;
  std::set<u8> mode_pages{0x01, 0x08, 0x3F};  // the pages that it gives when asked for
  std::optional<u32> mode_length;             // it fails on any other allocation length

 private:
  struct planned_failure {
    u8 opcode = 0;
    u32 left = 0;  // until then; 0: none is planned
    sense why;
  };

  std::optional<sense> trouble_ahead();
  void report_recovery();
  std::optional<sense> next_failure();
  std::vector<byte> execute();
  bool well_formed(u32 length) const;
  std::vector<byte> read();
  void begin_write();
  bool synchronize(bool good);  // false: pulled here
  std::vector<byte> refuse(sense why);
  std::vector<byte> sense_data();
  std::vector<byte> inquiry() const;
  u64 last_lba() const { return claimed_last_lba.value_or(storage_.identity.sectors - 1); }
  std::vector<byte> capacity() const;
  std::vector<byte> long_capacity() const;
  std::vector<byte> modes();
  u64 big_endian(size_t at, u32 bytes) const;
  // What a READ or WRITE is about.
  bool is_long() const { return length_of(opcode()) == 16; }
  u64 first_sector() const { return is_long() ? big_endian(2, 8) : big_endian(2, 4); }
  u64 sector_count() const { return is_long() ? big_endian(10, 4) : big_endian(7, 2); }
  bool in_range() const;
  void begin_record(block_command cmd, u64 first, u64 sectors);

  medium& storage_;
  planned_failure planned_;
  std::array<u8, 16> cdb_{};
  bool failed_ = false;
  bool used_ = false;
  sense sense_;                     // until the next command
  std::optional<sense> recovered_;  // what the status is going to tell of this command
  std::vector<byte> partial_sector_;
  u32 next_sector_ = 0;
  std::optional<command_record> record_;  // of a command that moves data, or flushes
};

}  // namespace sim
