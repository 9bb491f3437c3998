// verify: is the medium that arrived the one that is missed, and unchanged? By content, never by
// its port, and by its descriptors only to say no (rules 5 and 11). Nothing is written to it here.
#pragma once

#include <span>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/volume.h"

namespace checkpoint {

enum class verdict : u8 {
  same,       // every sector is what it was, or what was on its way
  modified,   // this stick, but changed by somebody else meanwhile: a conflict
  different,  // another stick, whatever its serial number says
};

// Takes the memory that looking at an arrival needs, so that a stick that comes back does not
// depend on memory being free then. Called once at boot.
void reserve_verify_memory();
// The part of it that blocks are read into: for the task replugd, between two verifications.
std::span<byte> verify_memory();

// Whether the descriptors leave it possible that this is the volume's medium. Never sleeps.
bool may_be(const volume& v, const block_device& device, const partition_table& partitions);

// Reads the medium and judges. Sleeps. Errors: eio, enodev: no verdict.
result<verdict> verify(const volume& v, block_device& device);

}  // namespace checkpoint
