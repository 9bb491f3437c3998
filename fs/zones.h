// Zone numbers that an inode in memory remembers, so that indirect blocks are read less often.
#pragma once

#include "lib/ids.h"

// A part of a file whose blocks follow each other on the device: `count` blocks from `file_block`
// of the file on are the device blocks from `first` on.
struct zone_run {
  u32 file_block = 0;
  block_nr first;
  u32 count = 0;
};

// The indirect block that create_block used last: it stores the zone numbers of ZONES_PER_BLOCK
// file blocks from `file_block` on. truncate, which may free it, clears this.
struct zone_table {
  u32 file_block = 0;
  block_nr number;  // block_nr{}: none yet
};
