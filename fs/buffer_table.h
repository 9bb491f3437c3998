// The heads of the buffer cache and where they stand: the hash, the free list, the dirty lists.
// Only buffer.cc and its tests look in here.
//
// Every head is on exactly one of these lists, or on none:
//   its disk's dirty list   b_dirt                             oldest first
//   the free list           clean, not in use, not locked      next to be claimed first
//   none                    clean and (in use or locked)
// file_buffer puts a head where its state says. Nothing here sleeps.
#pragma once

#include "drivers/block/buffer_head.h"
#include "fs/buffer.h"

using buffer_list = intrusive_list<buffer_head, &buffer_head::b_list_link>;

buffer_head* find_buffer(dev_id dev, block_nr block);  // the book's: a look into the hash
// The free buffer that was used the longest ago; null when none is free.
buffer_head* oldest_free_buffer();
// Gives a free head another block: not uptodate, nothing known of it.
void name_buffer(buffer_head& bh, dev_id dev, block_nr block);
void file_buffer(buffer_head& bh);

buffer_list& dirty_buffers(dev_id dev);
// The disk with the most dirty buffers that can be written now; dev_id{} when there is none.
dev_id dirtiest_disk();

// The first error since the last look that a write of this disk met.
void note_write_error(dev_id dev, error e);
