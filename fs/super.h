// Mounted file systems: the super_block table (the book's super.c).
//
// The bitmaps are not held in memory for good, as the book does: they are read through the buffer
// cache like every block, so that a stick that comes back has nothing to hide from verification.
#pragma once

#include <array>
#include <span>

#include "fs/fs.h"
#include "fs/minix_format.h"
#include "hal/wait.h"
#include "lib/moved_pointer.h"

constexpr u32 NR_SUPER = 8;

struct super_block {
  dev_id s_dev;  // dev_id{}: the slot is free
  // As on the disk, checked by read_super.
  u16 s_ninodes = 0, s_nzones = 0;
  u16 s_imap_blocks = 0, s_zmap_blocks = 0, s_firstdatazone = 0;
  u16 s_magic = 0;
  u16 s_state = 0;  // as it was found; goes back to the disk at umount

  inode_ref s_isup;    // root of this file system
  inode_ref s_imount;  // the directory it is mounted on; none for the root file system
  bool s_rd_only = false;
  bool s_ready = false;     // mounted: paths may cross into it
  bool s_leaving = false;   // umount is at work: paths may not any more
  bool s_renaming = false;  // held for the length of a rename (rename.cc)
  wait_queue s_wait;
  u32 s_users = 0;                  // super_use
  u32 s_complaints = 0;             // of damage found, most of them printed
  u32 s_imap_hint = 1;              // no bit below is free
  u32 s_zmap_hint = 1;              // no bit below is free
  std::array<char, 64> s_device{};  // "/dev/sda1", for the mounts file

  u32 name_length() const { return s_magic == MINIX_MAGIC_30 ? 30 : 14; }
  u32 entry_size() const { return name_length() + 2; }
  u32 imap_bits() const { return s_ninodes + 1u; }  // bit 0 included
  u32 zmap_bits() const { return s_nzones - s_firstdatazone + 1u; }
  block_nr imap() const { return SUPER_BLOCK_NR + 1; }
  block_nr zmap() const { return imap() + s_imap_blocks; }
  block_nr inode_table() const { return zmap() + s_zmap_blocks; }
  bool is_data_zone(u32 zone) const { return zone >= s_firstdatazone && zone < s_nzones; }
};

// The mounted file system of a device; null when there is none. Never sleeps.
super_block* get_super(dev_id dev);
std::span<super_block> all_super_blocks();

// Keeps a file system in the table while somebody works on it and sleeps: also the umount of a
// volume that was given up, which does not ask whether files are open, waits for this.
class [[nodiscard]] super_use {
 public:
  explicit super_use(super_block& sb) : sb_(&sb) { ++sb.s_users; }
  super_use(super_use&& other) noexcept = default;
  super_use& operator=(super_use&&) = delete;
  ~super_use();

 private:
  moved_pointer<super_block> sb_;
};

// Says that damage was found (a few times per mount) and remembers it for s_state.
void complain(super_block& sb, const char* what, u32 number);
