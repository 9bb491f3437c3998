// verify: whether a medium that arrived is the missing one, and unchanged. The content decides,
// never the port; descriptors can only prove that it is another one (rules 5 and 11). Everything
// that is compared may refute; only content that is the same and distinctive accepts. Nothing is
// written to the medium here.
#pragma once

#include <span>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/volume.h"

namespace checkpoint {

enum class verdict : u8 {
  same,       // each compared sector has a content that our own writes can have left
  unproven,   // the same, but nothing was compared that another stick could not have as well
  modified,   // this stick, but changed elsewhere meanwhile: a conflict
  different,  // another stick: a mounted file system or the partition table is another one
  formatted,  // the layout is the same and our stamp is gone: formatted anew, or another stick
};

// Takes the memory that looking at an arrival needs, so that a stick that comes back does not
// depend on memory being free then. Called once at boot.
void reserve_verify_memory();
// The part of it that blocks are read into: for the task replugd, between two verifications.
std::span<byte> verify_memory();

// Whether the descriptors are those of the volume's medium. Never sleeps.
bool may_be(const volume& v, const block_device& device);

// Reads what the medium has at the places of a fingerprint; a sector that cannot be read stays
// unknown. Sleeps. Errors: enodev.
result<fingerprint> read_fingerprint(block_device& device);

// Reads the medium and compares. Clean buffers that are no metadata are dropped first. The volume's
// state is verify. Sleeps, uninterruptibly. Errors: eio, enodev; then there is no verdict.
result<verdict> verify(const volume& v, block_device& device);

}  // namespace checkpoint
