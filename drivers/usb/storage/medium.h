// medium_record: whether the medium in a unit may be another one than before.
//
// A medium that was away for two seconds may be another one, and so may one of which the reader
// tells that it was exchanged; one of another size is. But a reader may need some time after a
// reset of the device until it finds the same card again, and may tell of it as of a new one. So
// for five seconds from a reset on all that says nothing. Else a card that hangs would be a new one
// after each of its resets, and would reset its device for ever.
//
// Nothing here sleeps, and nothing fails.
#pragma once

#include "lib/time.h"
#include "lib/types.h"

namespace usb::storage {

class medium_record {
 public:
  // `resets`: how often the device was reset until now, for any unit.
  // The device has told that there is no medium. True if the next one may be another one.
  bool note_none(u32 resets);
  // The medium is ready. True if it may be another one than the last one.
  bool note_ready(u32 resets);
  // The device has told that it was exchanged. True if that may be so.
  bool note_change(u32 resets);
  // It has so many bytes. True if it is another one than the last one.
  bool note_size(u64 bytes);

 private:
  void look_for_reset(u32 resets);
  bool is_behind_a_reset() const;
  bool was_away_for(duration limit) const;

  instant away_since_ = never;  // begins anew with a reset
  bool lost_by_a_reset_ = false;
  u32 resets_ = 0;            // that were seen
  instant reset_at_ = never;  // when the last one was seen; never: there was none
  u64 bytes_ = 0;             // of the last medium; 0: there was none
};

}  // namespace usb::storage
