// Buffers lose their content or their dirty mark: the book's invalidate_buffers, one function for
// each reason. None of them sleeps.
#pragma once

#include "lib/ids.h"

// The volume was given up, or its name becomes free: all buffers of the disk, dirty and used ones
// too, become clean and not uptodate. A write error that was not reported yet is forgotten.
void discard_buffers(dev_id disk);

// Free buffers (clean, not in use, not locked) become not uptodate, so they are read again: at
// mount and umount, and before a stick that returns is compared. `dev` is one device; if it is a
// whole disk, its partitions too. Buffers for which `keep` (if given) returns true stay as they
// are.
void drop_clean_buffers(dev_id dev, bool (*keep)(dev_id dev, block_nr block) = nullptr);

// The stick was pulled: its dirty buffers become clean and stay uptodate, as their content is in
// the region (with hold=0 it is lost). Returns how many there were.
u32 let_go_of_buffers(dev_id disk);
