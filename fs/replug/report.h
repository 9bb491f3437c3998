// What people are told: on the console, as it happens, and through `ckpt`.
#pragma once

#include <string_view>

#include "fs/checkpoint/volume.h"
#include "lib/format.h"

namespace checkpoint {

// "Replug …": the stick is missed. Says how many blocks wait for it and how long they are kept.
void report_missed(const volume& v);
void report_return(const volume& v, u32 blocks, duration took);
// The set is given up: the files that lose data, by name.
void report_loss(const volume& v);
// The machine is not switched off because of this volume: why, and the files that would lose data,
// by name.
void report_waiting(const volume& v);
// The missed stick is back, but was changed elsewhere: it is refused.
void report_conflict(const volume& v, const block_device& device);
// A stick that looks like the missed one is another one; `difference` ends "its …".
void report_stranger(const volume& v, const block_device& device, const char* difference);

// The text of /dev/ckpt: one line per volume.
void print_volumes(text_sink& out);
// The text of /dev/disks, for lsblk: one line per disk and partition.
void print_disks(text_sink& out);
// One command of `ckpt`: "hold N", "io_wait N" (seconds), "drop sda", "force sda". Sleeps.
// Errors: einval for a command that is none, enxio for a volume that is none, ebusy when its stick
// is in place (drop, force), enomedium (force) when no stick is there to be forced.
result<void> execute_command(std::string_view line);

}  // namespace checkpoint
