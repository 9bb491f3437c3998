// The checkpoint region: a secure copy of every block that is dirty on a removable medium, so that
// the medium may be pulled at any moment. docs/checkpoint.md explains it in full and numbers the
// rules that are cited here.
//
// This file has the calls of the buffer cache and the file system about a device. The checkpoint is
// the layer below both: it knows devices, blocks and bytes, no buffers and no inodes, and calls
// upward only through listener.h.
#pragma once

#include <span>

#include "fs/checkpoint/settings.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

class metadata_digest;

// Makes a region of `slots` blocks; 0: an eighth of memory. Called once at boot, before the first
// device and after the settings were made.
void init(u32 slots);

// Whether the device can be pulled: it has a volume. Never sleeps.
bool can_be_pulled(dev_id dev);
// Whether the stick of this volume is away, or back but not replayed yet; false once the volume was
// given up. Never sleeps.
bool absent(dev_id dev);
// Whether the volume was given up: every access answers eio until it is unmounted. Never sleeps.
bool dead(dev_id dev);

// For umount, with an absent stick: sleeps until no blocks are held and no operation runs,
// interruptibly and without limit; with `force` gives the held blocks up instead. Errors: eintr;
// eio when the volume was given up, also by `force`.
result<void> settle(dev_id dev, bool force);
// For a mount for writing: the digest is of the metadata of `dev`, that many blocks from `first`
// on, and knows nothing yet. False: nothing needs it, as the device cannot be pulled or no shadows
// are taken. Never sleeps.
bool begin_digest(metadata_digest& digest, dev_id dev, block_nr first, u32 blocks);
// Block `index` of the digest was read and has this content. Does nothing when the medium may have
// another one: the block is in the set, or the stick is away. Never sleeps.
void learn_read(metadata_digest& digest, u32 index, std::span<const byte, BLOCK_SIZE> content);
// How many blocks of this medium were given up before it came back, so that its file system may be
// damaged. Never sleeps.
u32 blocks_lost(dev_id dev);
// The medium says so itself from now on: the loss is forgotten here. Never sleeps.
void loss_is_marked(dev_id dev);

}  // namespace checkpoint
