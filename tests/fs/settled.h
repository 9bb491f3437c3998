// What memory says of a disk is true: an independent look at the inodes, superblocks and buffers
// that the kernel keeps, against the bytes below them.
//
// - An inode that is clean equals its 32 bytes in the inode table (fs/inode.h).
// - A buffer that is clean equals its block on the medium.
// - What is remembered so that less is read agrees with what would be read: the runs and tables of
//   zone numbers, the marks below which no bit and no entry is free.
//
// The first and the last are looked at whenever every fiber sleeps (sim/at_rest.h), all of them at
// the end of each world (fs_audit.cc).
#pragma once

namespace sim {

// While one exists, zones may belong to two files, and sticks may lose what they confirmed: neither
// what is remembered of zones is looked at, nor what the medium holds. For tests of damaged disks;
// made before the world.
class [[nodiscard]] damaged_disks {
 public:
  damaged_disks();
  ~damaged_disks();
  damaged_disks(const damaged_disks&) = delete;
  damaged_disks& operator=(const damaged_disks&) = delete;
};

// For the closing audit, in a task, when all has been written: what is not so is left_behind.
void look_at_settled_memory();

}  // namespace sim
