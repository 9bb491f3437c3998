// m_inode: an inode in memory, and the table of them (the book's inode.c).
//
// - inode_table holds every inode that is in use or was lately. i_count counts inode_refs; those
//   with none stay findable, oldest given away first. None free: enfile (0.11 panicked).
// - i_dirt is set in the same breath as the change: what is clean must stand on the disk, and a
//   stick that returns is compared with it.
// - An inode changes only inside an operation and under its lock (inode_lock.h), and is written
// into
//   its block before it is unlocked: an inode that is not locked is clean.
// - i_nlinks 0 and no reference left: iput frees the file, in an operation of its own.
//
// Where an inode can become another one, or none, while a task sleeps with a pointer to it:
//
//   place                      what happens                      what guards a sleeper
//   take_slot (inode.cc)       an unused slot is made blank      i_count: a slot with a reference
//   is
//                              for another inode                 not unused; nor is one with
//                              sleepers
//                                                                on i_wait
//   iget, when its read fails  unhashed, i_gone                  find_loaded looks at i_gone after
//                                                                its sleep and searches again
//   delete_inode (iget.cc)     unhashed, its number is given     it held the last reference; the
//   table
//                              away, i_gone                      walks of sync.cc and
//                              medium_check.cc
//                                                                pass by what is not hashed
//   adopt_inode                a cached inode whose number is    i_count and i_orphan: one in use
//                              given out anew is unhashed        keeps its number (eio)
//   invalidate_inodes          umount -f: unhashed, i_gone       super_use: umount waits for every
//                                                                task at work; after any other
//                                                                sleep check_alive comes first
#pragma once

#include <array>
#include <span>
#include <string_view>

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
  bool i_lock = false;
  bool i_dirt = false;
  bool i_loading = false;    // read_inode is under way
  bool i_mount = false;      // a file system is mounted on it
  bool i_orphan = false;     // unlinked and unused, not freed yet because the stick was away
  bool i_gone = false;       // freed, or its volume was given up: eio to whoever still holds it
  u32 i_diroff = 0;          // a directory: where the last search found its name
  u32 i_no_free_before = 0;  // a directory: no entry in front of this position is free
  pipe_ring* i_pipe = nullptr;
  zone_table i_table;
  zone_run i_run;  // where bmap looked last; only truncate takes a block from a file
  wait_queue i_wait;
  std::array<char, 64> i_path{};  // last known absolute path, cut in front; for people

  list_link<m_inode> i_hash_link;
  list_link<m_inode> i_unused_link;

  u16 type() const { return i_mode & abi::s_ifmt; }
  bool is_dir() const { return type() == abi::s_ifdir; }
  bool is_regular() const { return type() == abi::s_ifreg; }
  bool is_block() const { return type() == abi::s_ifblk; }
  bool is_char() const { return type() == abi::s_ifchr; }
  void forget_zones() {
    i_run = {};
    i_table = {};
  }
  dev_id rdev() const { return dev_id(i_zone[0]); }
  std::string_view path() const { return i_path.data(); }
};

// Path names for people: sets i_path to directory/name, the end of it if it is too long.
void set_path(m_inode& inode, std::string_view directory, std::string_view name);

// The inode `number` of a mounted device. Does not cross mount points: namei.cc does. Sleeps.
// Errors: enfile, eio (also for a number or an inode that makes no sense), eintr.
result<inode_ref> iget(dev_id dev, ino_nr number);
// The book's iput, called by inode_ref: gives up one reference. Sleeps only when it frees a file.
void iput(m_inode* inode);
inode_ref idup(m_inode& inode);
// eio if the inode's volume was given up or is unmounted. Never sleeps.
result<void> check_alive(const m_inode& inode);
// The mounted file system the inode is on; check_alive comes first.
super_block& super_of(const m_inode& inode);
