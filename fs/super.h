// Mounted file systems: the super_block table (the book's super.c).
//
// The book keeps the bitmaps in memory permanently. Here they are read through the buffer cache
// like every block, so the verification of a stick that returns covers them.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "fs/checkpoint/metadata_digest.h"
#include "fs/checkpoint/volume_use.h"
#include "fs/fs.h"
#include "fs/minix_format.h"
#include "fs/stamp.h"
#include "hal/wait.h"
#include "lib/moved_pointer.h"

constexpr u32 NR_SUPER = 8;

constexpr u32 blocks_for(u32 count, u32 per_block) { return (count + per_block - 1) / per_block; }

struct super_block {
  dev_id s_dev;  // dev_id{}: the slot is free
  checkpoint::volume_use s_use;
  // As on the disk, checked by read_super.
  u16 s_ninodes = 0, s_nzones = 0;
  u16 s_imap_blocks = 0, s_zmap_blocks = 0, s_firstdatazone = 0;
  u16 s_magic = 0;
  u16 s_state = 0;                       // as found at mount; written back at umount
  std::optional<d_stamp> s_stamp;        // of this mount, or (read only) as found
  checkpoint::metadata_digest s_digest;  // of a mount for writing

  inode_ref s_isup;    // root of this file system
  inode_ref s_imount;  // the directory it is mounted on; none for the root file system
  bool s_rd_only = false;
  bool s_ready = false;     // mounted: paths may cross into it
  bool s_leaving = false;   // umount is running: paths must not cross into it
  bool s_renaming = false;  // a rename is running (rename.cc)
  wait_queue s_wait;
  u32 s_users = 0;                  // how many super_use objects exist
  u32 s_complaints = 0;             // how often damage was found; the first 20 were printed
  u32 s_imap_hint = 1;              // no lower bit is free
  u32 s_zmap_hint = 1;              // no lower bit is free
  std::array<char, 64> s_device{};  // "/dev/sda1", for the mounts file

  u32 name_length() const { return s_magic == MINIX_MAGIC_30 ? 30 : 14; }
  u32 entry_size() const { return name_length() + 2; }
  u32 imap_bits() const { return s_ninodes + 1u; }  // bit 0 included
  u32 zmap_bits() const { return s_nzones - s_firstdatazone + 1u; }
  block_nr imap() const { return SUPER_BLOCK_NR + 1; }
  block_nr zmap() const { return imap() + s_imap_blocks; }
  block_nr inode_table() const { return zmap() + s_zmap_blocks; }
  // Of the bitmaps and the inode table.
  u32 metadata_blocks() const {
    return s_imap_blocks + s_zmap_blocks + blocks_for(s_ninodes, INODES_PER_BLOCK);
  }
  bool is_data_zone(u32 zone) const { return zone >= s_firstdatazone && zone < s_nzones; }
};

// For `ckpt force`: the medium of these file systems was changed elsewhere. They are marked as
// possibly damaged, and get new stamps. Sleeps. Errors: eio, eintr.
result<void> mark_forced(dev_id disk);

// The mounted file system of a device; null when there is none. Never sleeps.
super_block* get_super(dev_id dev);
// The whole table, free slots too. Never sleeps.
std::span<super_block> all_super_blocks();

// Keeps a file system in the table while a task works on it and sleeps: put_super waits for its
// end. The umount of a volume that was given up waits for it too, though it does not check open
// files. Never sleeps.
class [[nodiscard]] super_use {
 public:
  explicit super_use(super_block& sb) : sb_(&sb) { ++sb.s_users; }
  super_use(super_use&& other) noexcept = default;
  super_use& operator=(super_use&&) = delete;
  ~super_use() {
    if (sb_) end();
  }

 private:
  void end();

  moved_pointer<super_block> sb_;
};

// Reports damage on the console (at most 20 times per mount) and counts it, so that umount sets
// ERROR. Ignored for a volume that was given up: its reads fail anyway. Never sleeps.
void complain(super_block& sb, const char* what, u32 number);
