// What the buffer cache and the checkpoint ask of the inodes in memory.
#pragma once

#include <span>

#include "lib/ids.h"
#include "lib/result.h"

result<void> sync_inodes(dev_id dev);
void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected));
