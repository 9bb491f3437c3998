// What an inode remembers of the way to its blocks, so that the next step need not go it again.
#pragma once

#include "lib/ids.h"

// A piece of a file whose blocks follow each other on the device.
struct zone_run {
  u32 file_block = 0;
  block_nr first;
  u32 count = 0;
};

// The indirect block that create_block linked a zone into last: of the file blocks from
// `file_block` on. Only truncate takes it from a file.
struct zone_table {
  u32 file_block = 0;
  block_nr number;  // block_nr{}: none yet
};
