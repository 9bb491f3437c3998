// unit: a logical unit of a mass storage device, from the plug of the device to its pull. A stick
// has one; a card reader has one for each slot; a stick that shows a CD-ROM has one for each of
// both.
//
// One task serves all units of a device in turn, as the transport carries one command at a time. A
// unit is asked to do one thing, a request or a look at its medium, and then the next one is asked.
// So a slot with nothing in it and a medium that fails keep no other unit from its requests for
// longer than a command takes.
//
//     empty ----> present ----> leaving ----> empty      a usb_disk exists while present and
//     leaving
//       \--> useless --> empty                           a medium that cannot be used
//       \--> ended                                       so is the unit itself: it takes no media,
//                                                        or it does not answer any more
//
// - empty -> present: examine() finds a medium that can be used, and announces its arrival.
// - present -> leaving: the medium was taken out (02/3A) or may have been exchanged (06/28), or the
//   device was reset, or it was not ready for too long. To the upper layers this is a pull: they
//   seal, and what arrives next is verified by its content, dirty blocks and all.
// - leaving -> empty: no reference to the usb_disk is left.
// - useless -> empty: the medium was taken out or exchanged, or the device was reset, so that the
//   news of it may be lost. An examination that failed without showing why is made again, with
//   pauses that grow. A unit whose examinations fail and reset the device, four one after
//   another, has ended.
// - A unit that is useless or has ended says why in the list that lsusb shows: if it is the only
//   one, with its device, otherwise in a line of its own.
// - A unit that shares its device rests after each command that has reset it: the others need the
//   time between two resets for their writes and a flush. Its rests become longer and longer
//   (trouble.h).
#pragma once

#include <optional>

#include "drivers/usb/storage/scsi.h"
#include "drivers/usb/storage/usb_disk.h"

namespace usb::storage {

// The pause before a unit that has ended a plug by itself is examined again. Without it, a device
// with a unit attention for every command would begin a hundred plugs in a second. A plug or an
// examination that the driver's own reset has ended has only the shortest pause: on a bad cable
// long ones would add up, and writers would wait too long. trouble.h sets a bound to resets that
// lead nowhere.
class pace {
 public:
  static constexpr duration shortest = 100_ms;
  // After a plug of this length.
  duration pause_after(duration life);

 private:
  duration pause_{};
};

class unit {
 public:
  // `alone`: it is the only one of its device.
  unit(transport& carrier, u8 number, bool alone, segment_list& segments)
      : disk_(carrier, number, alone), alone_(alone), segments_(segments) {}

  // Does the next thing that is to be done. Sleeps. False if there is nothing before next_look();
  // then it has not slept.
  bool step();
  instant next_look() const;
  // There is no use for it until the device is pulled.
  bool has_ended() const { return state_ == state::ended; }
  bool is_disk() const { return disk_.is_disk(); }
  // Why it is not used; null: it is, or it has no medium.
  const char* unused() const { return unused_; }

  // The device is gone: so is the medium. Never sleeps.
  void leave();
  // Sleeps until no reference to the medium is left.
  void wait_until_let_go();

 private:
  enum class state : u8 { empty, present, leaving, useless, ended };

  void look();
  void look_now();
  void rest_if_reset(u32 resets_before);
  void examine();
  void give_up();
  bool is_resting();
  void arrive(const disk_facts& facts);
  bool may_be_exchanged() const;
  void refuse(error why);
  void tell_unused(const char* why);
  void end(const char* why);
  void forget_medium();
  void look_for_a_change();
  duration pause_after(duration life);
  void end_plug();
  void let_go();

  scsi_disk disk_;
  const bool alone_;
  segment_list& segments_;
  state state_ = state::empty;
  std::optional<usb_disk> plug_;
  pace pace_;
  instant next_look_{};
  instant again_ = never;  // useless: when it is examined again
  instant since_{};        // the medium is present, or useless
  u32 resets_at_refusal_ = 0;
  instant rest_until_{};  // 0: it does not rest
  bool told_ = false;     // that it is useless
  const char* unused_ = nullptr;
  unused_device listed_;  // while it is not used, and not the only one
  duration pause_{};      // after the last plug
};

}  // namespace usb::storage
