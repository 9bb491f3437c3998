// medium_record: whether the medium in a unit may be another one than before.
//
// A medium that was away for two seconds may be another one, and one of another size is. A reader
// may need some time to find the same card again after a reset of ours: what begins to be away
// behind one may be another one only after ten seconds. Else a card that hangs would be a new one
// after each of its resets, and would reset its device for ever.
//
// Nothing here sleeps, and nothing fails.
#pragma once

#include "lib/time.h"
#include "lib/types.h"

namespace usb::storage {

class medium_record {
 public:
  // `resets`: how often the device was reset until now.
  // The device has told that there is no medium. True if the next one may be another one.
  bool note_none(u32 resets);
  // The medium is ready. True if it may be another one than the last one.
  bool note_ready(u32 resets);
  // It has so many bytes. True if it is another one than the last one.
  bool note_size(u64 bytes);

 private:
  bool was_away_for(duration limit) const;

  instant away_since_ = never;
  bool behind_a_reset_ = false;  // since then
  u32 resets_when_ready_ = 0;    // at the last time
  u64 bytes_ = 0;                // of the last one; 0: there was none
};

}  // namespace usb::storage
