// m_inode: an inode in memory, and the table of them (the book's inode.c).
//
// - The table holds every inode in use and the ones used most recently. i_count counts inode_refs.
//   An inode without references stays findable by its number; when a slot is needed, the inode that
//   is unused for the longest time is replaced. No slot free: enfile (0.11 panicked).
// - i_dirt is set together with the change, without a sleep in between: an inode that is clean
//   equals its 32 bytes on the disk, and a stick that returns is compared with it.
// - An inode changes only inside an operation and under its lock (inode_lock.h). It is written into
//   its block before it is unlocked, so an inode that is not locked is clean, unless that write
//   failed.
// - i_nlinks is 0 and the last reference goes: iput frees the file, in an operation of its own.
// - One number has at most one hashed slot: iget does not sleep between its last look into the hash
//   and hash_inode.
//
// Where an inode pointer can come to mean another inode, or none, while a task sleeps with it:
//
//   take_slot (inode_table.cc): an unused slot is made blank for another inode (iget, new_inode,
//     pipes).
//     Guard: i_count. A slot with a reference is not taken, nor an orphan, nor one with sleepers
//     on i_wait.
//   iget, when read_inode fails: unhashed, i_gone.
//     Guard: find_loaded holds a reference, looks at i_gone after its sleep, and searches again.
//   delete_inode (iget.cc): unhashed before its first sleep; then truncated, its number is given
//     back, i_gone. If the stick is away: i_orphan and hashed again; sync_inodes frees it later.
//     Guard: the task holds the last reference, and the hash does not find the inode. The walks
//     over the whole table (sync.cc, for_each_clean_inode) skip inodes that are not hashed.
//   adopt_inode (new_inode): a cached inode whose number is allocated again is unhashed.
//     Guard: i_count and i_orphan. A number in use is not adopted (eio; new_inode tries the next
//     one).
//   free_pipe: i_pipe becomes null and the page is freed.
//     Guard: i_count. iput calls it for the last reference only.
//   invalidate_inodes, in put_super (umount, umount -f, a mount that failed): unhashed, i_gone.
//     Guard: put_super sleeps until s_users is 0, so no task that holds a super_use (in an
//     inode_lock or an fs_operation) is at work. A task that slept with an inode_ref alone calls
//     check_alive before super_of.
//   put_super: the super_block that super_of has returned becomes a free slot.
//     Guard: super_use; without one, check_alive after every sleep.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "fs/checkpoint/file_notes.h"
#include "fs/fs.h"
#include "fs/minix_format.h"
#include "fs/super.h"
#include "fs/zones.h"
#include "hal/wait.h"

constexpr u32 NR_INODE = 256;
struct pipe_ring;  // fs/pipe.h

struct m_inode {
  // As on the disk.
  u16 i_mode = 0;
  u16 i_uid = 0;
  u32 i_size = 0;
  u32 i_mtime = 0;
  u8 i_gid = 0;
  u8 i_nlinks = 0;
  std::array<u16, NR_ZONES> i_zone{};

  // In memory only.
  dev_id i_dev;
  ino_nr i_num;
  u32 i_count = 0;
  // Of a regular file: how many open files write it, or minus the number of program_refs.
  i32 i_writecount = 0;
  u32 i_write_errors = 0;  // while it is in use; see file_errors.h
  bool i_lock = false;
  bool i_dirt = false;
  bool i_loading = false;    // read_inode is under way
  bool i_mount = false;      // a file system is mounted on it
  bool i_orphan = false;     // no names and no references; not freed, for the stick was away
  bool i_gone = false;       // freed, unmounted or not readable: check_alive answers eio
  u32 i_diroff = 0;          // a directory: position (bytes) at which the last search succeeded
  u32 i_no_free_before = 0;  // a directory: no entry in front of this position (bytes) is free
  pipe_ring* i_pipe = nullptr;
  zone_table i_table;
  zone_run i_run;  // the run that bmap found last; truncate clears it
  wait_queue i_wait;
  checkpoint::noted_path i_path;  // last known absolute path, for messages; its start is cut off

  list_link<m_inode> i_hash_link;
  list_link<m_inode> i_unused_link;

  u16 type() const { return i_mode & abi::s_ifmt; }
  bool is_dir() const { return type() == abi::s_ifdir; }
  bool is_regular() const { return type() == abi::s_ifreg; }
  bool is_block() const { return type() == abi::s_ifblk; }
  bool is_char() const { return type() == abi::s_ifchr; }
  // Whether i_zone has zones. Symbolic links have, which other systems make: here they can only be
  // removed.
  bool has_zones() const { return is_regular() || is_dir() || type() == abi::s_iflnk; }
  void forget_zones() {
    i_run = {};
    i_table = {};
  }
  dev_id rdev() const { return dev_id(i_zone[0]); }
  std::string_view path() const { return i_path.text.data(); }
};

// Sets i_path to directory/name, for messages; of a path that is too long, its end. Never sleeps.
void set_path(m_inode& inode, std::string_view directory, std::string_view name);

// The inode `number` of a mounted device, read from it unless it is in memory. Does not cross mount
// points (namei.cc does). Sleeps. Errors: enfile, eintr, eio (also: the device is not mounted, the
// number is out of range, or the inode on the disk is free).
result<inode_ref> iget(dev_id dev, ino_nr number);
// The book's iput, called by inode_ref: gives up one reference; null is fine. Sleeps only when it
// frees a file (no names, last reference): then the task may hold no inode lock outside an
// operation.
void iput(m_inode* inode);
// One more reference. Never sleeps.
inode_ref idup(m_inode& inode);
// Errors: eio if the inode is gone (freed, unmounted) or its volume was given up. Never sleeps.
result<void> check_alive(const m_inode& inode);
// The mounted file system that the inode is on. Call check_alive first, after the last sleep: for
// an inode that is not on a mounted file system, it panics. Never sleeps.
super_block& super_of(const m_inode& inode);
