// m_inode: an inode in memory, and the table of them (the book's inode.c).
//
// - inode_table holds every inode that is in use or was lately. i_count counts inode_refs; those
//   with none stay findable, oldest given away first. None free: enfile (0.11 panicked).
// - i_dirt is set in the same breath as the change: what is clean must stand on the disk, and a
//   stick that returns is compared with it.
// - Changes happen inside an operation, under an inode_change: it locks the inodes concerned, in
//   the order of their numbers, and writes the dirty ones into their blocks before it unlocks. So
//   an inode is dirty only while an operation is at work on it, and inodes that nobody locks are
//   clean.
// - Lock order: operation, then inode locks. Who holds an inode lock outside an operation must not
//   begin one (another operation may hold the room and wait for the lock), and must not drop a
//   reference that could be the last.
// - i_nlinks 0 and no reference left: iput frees the file, in an operation of its own.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "fs/checkpoint/operation.h"
#include "fs/fs.h"
#include "fs/minix_format.h"
#include "fs/super.h"
#include "hal/wait.h"

constexpr u32 NR_INODE = 256;
struct pipe_ring;  // fs/pipe.h

// A piece of a file whose blocks follow each other on the device.
struct zone_run {
  u32 file_block = 0;
  block_nr first;
  u32 count = 0;
};

// The indirect block that create_block linked a zone into last: of the file blocks from
// `file_block` on. Only truncate takes it from a file.
struct zone_table {
  u32 file_block = 0;
  block_nr number;  // block_nr{}: none yet
};

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
// A slot for an inode that stands on no disk (pipes). Errors: enfile.
result<inode_ref> get_empty_inode();
// A slot for a newly allocated number of a device (new_inode). Errors: enfile, eio when the number
// is in use in spite of its bit.
result<inode_ref> adopt_inode(dev_id dev, ino_nr number);

// eio if the inode's volume was given up or is unmounted. Never sleeps.
result<void> check_alive(const m_inode& inode);
// The mounted file system the inode is on; check_alive comes first.
super_block& super_of(const m_inode& inode);

// --- Locks ---

// Holds one inode against changes, for reading. Waits interruptibly, except inside an operation.
class [[nodiscard]] inode_lock {
 public:
  // Errors: eintr; eio when the volume was given up.
  static result<inode_lock> take(m_inode& inode);
  inode_lock(inode_lock&& other) noexcept = default;
  inode_lock& operator=(inode_lock&&) = delete;
  ~inode_lock();

 private:
  inode_lock(super_use use, m_inode& inode) : use_(std::move(use)), inode_(&inode) {}
  super_use use_;
  moved_pointer<m_inode> inode_;
};

// An operation on a mounted file system, which stays mounted for its length.
class [[nodiscard]] fs_operation : public operation {
 public:
  fs_operation(super_use&& use, operation&& op) : operation(std::move(op)), use_(std::move(use)) {}

 private:
  super_use use_;
};
// Begins one on the inode's file system. Errors: erofs, eio, eintr.
result<fs_operation> begin_change(const m_inode& inode);

// Locks up to four inodes for change (null ones and repetitions are fine) and, at its end, writes
// those that became dirty. It must stand below its operation, so that it ends first.
class [[nodiscard]] inode_change {
 public:
  inode_change(operation& op, std::initializer_list<m_inode*> inodes);
  inode_change(const inode_change&) = delete;
  inode_change& operator=(const inode_change&) = delete;
  ~inode_change();

 private:
  operation& op_;
  std::array<m_inode*, 4> inodes_{};
  u32 count_ = 0;
};

// --- Between memory and blocks ---

// Brings an inode into its block; clears i_dirt. Errors: eio.
result<void> write_inode(operation& op, m_inode& inode);
// Writes the dirty inodes of a device into their blocks, or of all for dev_id{}; frees the files
// that had to wait for their stick. Inodes of absent sticks are left alone. The caller holds no
// inode lock. Sleeps. Errors: the first met.
result<void> sync_inodes(dev_id dev);

// Where a block of a file stands: block_nr{} for a hole. The inode is locked. Sleeps. Errors: eio
// for a zone number that makes no sense, efbig.
result<block_nr> look_up_block(m_inode& inode, u32 file_block);
inline result<block_nr> bmap(m_inode& inode, u32 file_block) {
  const u32 into_run = file_block - inode.i_run.file_block;
  if (into_run < inode.i_run.count) return inode.i_run.first + into_run;
  return look_up_block(inode, file_block);
}
// For reading ahead. The first block of the file behind this one whose zone number stands
// elsewhere: in another indirect block.
u32 end_of_map(u32 file_block);
// That indirect block; block_nr{} if the inode itself has the number, or for a hole. As bmap.
result<block_nr> map_of(m_inode& inode, u32 file_block);

// What a block is filled with when it is allocated: `bytes` at `offset`, zeros elsewhere.
struct block_content {
  u32 offset = 0;
  std::span<const byte> bytes{};
};
struct created_block {
  block_nr number;
  bool fresh;  // it was allocated now and holds the content
};
// The same, but a missing block is allocated, filled and linked in. Errors: enospc too.
result<created_block> create_block(operation& op, m_inode& inode, u32 file_block,
                                   const block_content& content);

// truncate.cc. Cuts or extends a regular file or directory; the inode is locked for change (or out
// of everybody's reach). Dirties at most the zone bitmap, two indirect blocks, one data block and
// the inode. What cannot be read of a damaged file is left allocated, with a complaint.
result<void> truncate(operation& op, m_inode& inode, u32 size);
// Zeroes what stands behind byte `size` in its block, before a file grows past it.
result<void> zero_tail(operation& op, m_inode& inode, u32 size);

// bitmap.cc. Errors: enospc, eio. new_block's block is filled, and dirty in the cache.
result<block_nr> new_block(operation& op, super_block& sb, m_inode& owner,
                           const block_content& content);
// Never fails towards its caller: damage is complained about.
void free_block(operation& op, super_block& sb, block_nr block);
// A new inode: one link, the caller's ids, now; it stands in no directory and must be written.
result<inode_ref> new_inode(operation& op, super_block& sb, u16 mode, u16 uid, u16 gid);
// Clears the inode on the disk and its bit.
void free_inode(operation& op, m_inode& inode);
struct free_counts {
  u32 zones, inodes;
};
result<free_counts> count_free(super_block& sb);

// --- For mount, umount, and a stick that returns ---

// Whether somebody uses an inode of the device (the root's own reference by s_isup aside).
bool inodes_busy(dev_id dev);
// Forgets all inodes of a device; those still in use are gone for their users.
void invalidate_inodes(dev_id dev);
// A stick is back: what is known of where its files' blocks stand must be read again.
void forget_zone_runs(dev_id disk);
// Visits the in-core inodes of a disk, all its partitions, that are not dirty: where each stands on
// the device, and the 32 bytes that must be there. Never sleeps.
void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected));
