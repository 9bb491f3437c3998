// trouble_record: what goes wrong with a unit, counted over all its plugs, and when it is too much.
// scsi_disk tells it what has happened, and asks it what follows.
//
// - A command *hangs* when it ends only by a reset of the device. A unit that hangs at one command
//   after another is given up. So is one that hangs at all commands of one kind, though it answers
//   others. Only a success of the same kind forgives a hang: a unit whose WRITEs hang is read again
//   and again in between, when its content is verified, and one that never completes a flush is
//   written again and again. A unit that is not ready for a command for half a minute counts as one
//   that hangs at it.
// - Sectors at which three plugs have ended are a *bad place*. For a minute nothing is sent there,
//   and after each further end for twice as long: each time a plug would end, of the other units of
//   the device as well, and the disk would be of no use for its other places. READs and WRITEs have
//   their own bad places. A suspect is what the commands that ended plugs have in common. What
//   succeeds is no part of it. A bad place grows by a block that touches it.
//   A unit without media ends no plug; there it is what two tries of a command could not reach.
// - Of a medium nothing is known any more when the next one may be another one (medium.h).
// - A medium that has ended several short plugs without a reason was not exchanged each time: it is
//   one that fails without a reason.
//
// Nothing here sleeps, and nothing fails.
#pragma once

#include <array>
#include <utility>

#include "lib/time.h"
#include "lib/types.h"

namespace usb::storage {

// What is counted apart. Hangs in an examination count only in a row; see also note_examination().
enum class command_kind : u8 { read, write, flush, other, examination };

enum class examination : u8 { answered, absent, hung };

// From `first` up to `end`, which is behind the last one.
struct sector_range {
  u64 first = 0, end = 0;
  bool operator==(const sector_range&) const = default;
};

class trouble_record {
 public:
  // --- commands that hang ---
  void note_hang(command_kind kind);
  // The unit was not ready for a command for too long: this counts as a hang of its kind.
  void note_delay(command_kind kind);
  // A command has ended without a reset, in whichever way.
  void note_answer() { hangs_in_a_row_ = 0; }
  // `at`: the sectors that it has moved, if any.
  void note_success(command_kind kind, sector_range at);
  // Why the unit is to be given up, for the console; null while it is not.
  const char* reason_to_give_up() const;
  u32 hangs_in_a_row() const { return hangs_in_a_row_; }
  // How an examination has ended. `absent`: the medium is not there, or not ready.
  void note_examination(examination outcome);
  // Four examinations have hung, one after another, with less than ten minutes between two of them.
  // That the medium is absent in between says nothing: some readers lose their card for a while
  // after a reset.
  bool hangs_when_examined() const { return hung_examinations_ >= 4; }
  // A command of the unit has ended by a reset, whatever follows from that.
  void note_reset();
  // How long a unit that shares its device rests after a reset: longer after each one of a kind
  // that has not succeeded since, and after each one of any kind. Of these, time alone forgives one
  // in two minutes. So no unit resets its device more often than that for ever, whatever it answers
  // in between.
  duration rest() const;

  // --- bad places ---
  // A plug is to end by this command, or all its tries have hung. Without sectors, or in an
  // examination, it does nothing.
  void note_end(command_kind kind, sector_range at);
  // Whether a command for these sectors is not to be sent.
  bool is_bad(command_kind kind, sector_range at) const;
  // Whether some of these sectors may be a bad place, or a part of one.
  bool has_suspect(command_kind kind, sector_range at) const;

  // --- failures without a reason ---
  void begin_plug();
  // Whether such a failure is to end the plug. It counts.
  bool may_be_an_exchange();
  // The medium has left, and the device has told it.
  void note_no_medium() { ends_without_reason_ = 0; }

  // The medium may be another one from now on.
  void forget_medium();

 private:
  static constexpr u32 most_ends = 3;
  struct suspect {
    command_kind kind{};
    sector_range at;  // empty: there is no suspect here
    u32 ends = 0;     // of plugs
    instant last{};   // of these ends
    // It concerns a command of this kind for these sectors.
    bool is(command_kind other, sector_range place) const;
    // A plug that this command ends is one more end of it.
    bool takes(command_kind other, sector_range place) const;
    bool is_known() const { return ends >= most_ends; }
    // How long nothing is sent there.
    duration rest() const;
  };
  static constexpr u8 counted_kinds = 4;
  static constexpr u32 most_suspects = 16;

  static void acquit(suspect& s, sector_range at);
  u32 hung(command_kind kind) const { return hung_[std::to_underlying(kind)]; }

  u32 hangs_in_a_row_ = 0, hung_examinations_ = 0;
  instant last_hung_{};                    // examination
  u32 resets_ = 0;                         // less those that are forgiven
  instant last_reset_{};                   // of these
  std::array<u32, counted_kinds> hung_{};  // of each kind, since one of it has succeeded
  std::array<suspect, most_suspects> suspects_{};
  bool may_have_suspects_ = false;  // most units never have one: this spares them the search
  u32 ends_without_reason_ = 0;     // of short plugs, one after another
  instant plug_since_{};
};

}  // namespace usb::storage
