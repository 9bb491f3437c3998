// Sense data (SPC-4, 4.5): why a SCSI command has failed, and what is to be done then.
#pragma once

#include <span>

#include "lib/types.h"

namespace usb::storage {

struct sense {
  u8 key = 0, asc = 0, ascq = 0;
  bool deferred = false;  // the error is one of an earlier command
};
// Whether these are sense data at all: in the fixed format (70h; deferred 71h) or in the descriptor
// format (72h; deferred 73h), as far as the sense key.
bool is_sense(std::span<const byte> data);
// Reads both formats. Key 0 for any other data.
sense parse_sense(std::span<const byte> data);

enum class verdict : u8 {
  recovered,        // executed successfully, with some effort of the device
  retry,            // the command failed, and may succeed the next time
  bad_place,        // medium error: the same, and it concerns some of the command's sectors
  unexplained,      // there are no sense data, or they tell nothing: they may have been lost
  attention,        // not executed: the device had a message, but nothing has failed
  other_attention,  // the same, of a kind that is not known: the medium may have changed
  deferred,         // not executed: the device reports that an earlier command has failed
  becoming_ready,   // not executed: the device needs more time
  needs_start,      // not executed: it waits for START STOP UNIT
  reset,            // unit attention: reset or power-on; the volatile cache may be lost
  medium_changed,   // unit attention
  no_medium,        // or the unit itself is not there
  write_protected,
  not_supported,  // the device does not know this command, or not in this form
  out_of_range,
  failed,
};
verdict judge(const sense& s);

}  // namespace usb::storage
