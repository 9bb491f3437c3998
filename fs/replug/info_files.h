// /dev/ckpt and /dev/disks: what is known of the sticks, a line each; and the commands of `ckpt`,
// which are written to the former.
#pragma once

#include <string_view>

#include "lib/format.h"
#include "lib/result.h"

namespace checkpoint {

// Registers both. Called once at boot.
void info_files_init();

// The text of /dev/ckpt: one line per volume. Never sleeps.
void print_volumes(text_sink& out);
// The text of /dev/disks, for lsblk: one line per disk and partition. Never sleeps.
void print_disks(text_sink& out);
// One command of `ckpt`: "hold N", "io_wait N" (seconds), "drop sda", "force sda". Sleeps.
// Errors: einval for a command that is none, enxio for a volume that is none, ebusy when its stick
// is in place (drop, force), enomedium (force) when no stick is there to be forced.
result<void> execute_command(std::string_view line);

}  // namespace checkpoint
