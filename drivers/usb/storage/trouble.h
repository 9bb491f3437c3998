// trouble_record: what goes wrong with a unit, counted over all its plugs, and when it is too much.
// scsi_disk tells it what has happened, and asks it what follows.
//
// - A command *hangs* when it ends only by a reset of the device. A unit that hangs at one command
//   after another is given up. So is one that hangs at all commands of one kind, though it answers
//   others. Only a success of the same kind forgives a hang: a unit whose WRITEs hang is read again
//   and again in between, when its content is verified, and one that never completes a flush is
//   written again and again.
// - A command that ends plug after plug, each time it is sent, is a *bad place*. It fails for a
//   minute without being sent.
// - A medium that has ended several short plugs without a reason was not exchanged each time: it is
//   one that fails without a reason.
#pragma once

#include <array>
#include <utility>

#include "lib/time.h"
#include "lib/types.h"

namespace usb::storage {

// What is counted apart. Hangs in an examination count only in a row: a unit that hangs at each one
// is given up by unit.cc.
enum class command_kind : u8 { read, write, flush, other, examination };

using command_bytes = std::array<u8, 16>;

class trouble_record {
 public:
  // --- commands that hang ---
  void note_hang(command_kind kind);
  // A command has ended without a reset, in whichever way.
  void note_answer() { hangs_in_a_row_ = 0; }
  void note_success(command_kind kind, const command_bytes& command);
  // Why the unit is to be given up, for the console; null while it is not.
  const char* reason_to_give_up() const;
  u32 hangs_in_a_row() const { return hangs_in_a_row_; }
  // How long a unit that shares its device rests after a hang: longer after each one of a kind that
  // has not succeeded since.
  duration rest() const;

  // --- bad places ---
  // The answer to this command was lost, and a plug is to end by it. True: it is a bad place.
  bool is_bad_place(const command_bytes& command);
  bool is_refused(const command_bytes& command) const;

  // --- failures without a reason ---
  void begin_plug();
  // Whether such a failure is to end the plug. It counts.
  bool may_be_an_exchange();
  // The medium has left, and the device has told it.
  void note_no_medium() { ends_without_reason_ = 0; }

 private:
  static constexpr u8 counted_kinds = 4;

  u32 hung(command_kind kind) const { return hung_[std::to_underlying(kind)]; }

  static constexpr u32 most_ends_by_one = 3;

  u32 hangs_in_a_row_ = 0;
  std::array<u32, counted_kinds> hung_{};  // of each kind, since one of it has succeeded
  command_bytes suspect_{};                // the command whose answer was lost last
  u32 ends_by_suspect_ = 0;                // of plugs, since it has succeeded
  instant refused_until_{};                // the suspect fails without being sent
  u32 ends_without_reason_ = 0;            // of short plugs, one after another
  instant plug_since_{};
};

}  // namespace usb::storage
