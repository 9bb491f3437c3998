// Buffers that are forgotten: the book's invalidate_buffers, for each of its reasons by itself.
// None of them sleeps.
#pragma once

#include "lib/ids.h"

// The volume was given up, or its name becomes free: nothing of the disk counts any more, dirty
// buffers too. Those in use become stale (not uptodate).
void discard_buffers(dev_id disk);

// Clean buffers that no task uses are dropped and will be read again: at umount, and before a stick
// that returns is compared. `dev` means that name alone, and for a whole disk its partitions too.
// Those that `keep` wants stay, if it is given; so do the dirty ones.
void drop_clean_buffers(dev_id dev, bool (*keep)(dev_id dev, block_nr block) = nullptr);

// The stick was pulled: its dirty buffers become clean, for their content stands in the region.
// Returns how many there were.
u32 let_go_of_buffers(dev_id disk);
