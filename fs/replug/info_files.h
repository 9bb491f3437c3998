// /dev/ckpt and /dev/disks: one line for each stick or partition. The commands of `ckpt` are
// written to /dev/ckpt.
#pragma once

#include <string_view>

#include "lib/format.h"
#include "lib/result.h"

namespace checkpoint {

// Registers both files. Called once at boot. Never sleeps.
void info_files_init();

// The text of /dev/ckpt: one line per volume. Never sleeps.
void print_volumes(text_sink& out);
// The text of /dev/disks, for lsblk: one line per disk and partition. Never sleeps.
void print_disks(text_sink& out);
// One command of `ckpt`: "hold N", "io_wait N" (seconds), "drop sda", "force sda". Sleeps. Errors:
// einval for an unknown command or a wrong number, enxio for an unknown volume, ebusy when its
// stick is not missing (drop, force); force: enomedium when no stick was refused, erofs when it is
// write-protected, enodev when it is pulled.
result<void> execute_command(std::string_view line);

}  // namespace checkpoint
