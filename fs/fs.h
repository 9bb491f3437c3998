// fs.h: the file system as the system calls use it.
//
// - Paths are looked up relative to a process's fs_context. User memory is passed as spans that
//   verify_area has checked and faulted in: no function here causes a page fault.
// - Every function may sleep unless its comment says otherwise. Errors are those of POSIX for the
//   call of the same name; eio and eintr are possible wherever a device is used.
// - A call that needs an absent stick waits for it at the door (fs/checkpoint/absence.h), at most
//   io_wait, and then begins again: no caller may hold what another task waits for.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "fs/checkpoint/volume_use.h"
#include "fs/read_ahead.h"
#include "lib/abi.h"
#include "lib/ids.h"
#include "lib/result.h"

struct ioctl_argument;  // drivers/char/char_device.h
struct m_inode;         // fs/inode.h

// One reference to an inode in memory; the destructor calls iput.
class [[nodiscard]] inode_ref {
 public:
  inode_ref() = default;
  explicit inode_ref(m_inode* inode) : inode_(inode) {}  // takes over one count
  inode_ref(inode_ref&& other) noexcept : inode_(std::exchange(other.inode_, nullptr)) {}
  inode_ref& operator=(inode_ref&& other) noexcept;
  ~inode_ref();

  inode_ref copy() const;  // one more reference; never sleeps
  // The caller has the reference now, and gives it up by another inode_ref.
  m_inode* release() { return std::exchange(inode_, nullptr); }
  explicit operator bool() const { return inode_ != nullptr; }
  m_inode* get() const { return inode_; }
  m_inode* operator->() const { return inode_; }
  m_inode& operator*() const { return *inode_; }

 private:
  m_inode* inode_ = nullptr;
};

// One reference to an inode whose program is being run. While there is one, the file is not opened
// for writing and not cut (etxtbsy): pages of the program may still have to be read from it.
class [[nodiscard]] program_ref {
 public:
  program_ref() = default;
  // Errors: etxtbsy when the file is open for writing. Never sleeps, but on an error gives up the
  // reference, as inode_ref does.
  static result<program_ref> of(inode_ref inode);
  program_ref(program_ref&&) noexcept = default;
  program_ref& operator=(program_ref&& other) noexcept;
  ~program_ref();

  program_ref copy() const;  // never sleeps
  explicit operator bool() const { return static_cast<bool>(inode_); }
  m_inode* get() const { return inode_.get(); }
  m_inode* operator->() const { return inode_.get(); }
  m_inode& operator*() const { return *inode_; }

 private:
  explicit program_ref(inode_ref inode) : inode_(std::move(inode)) {}
  inode_ref inode_;
};

// What a process supplies to each path call: root and current directory, umask, ids. Part of
// task_struct.
struct fs_context {
  inode_ref root;
  inode_ref pwd;
  u16 umask = 022;
  u16 euid = 0, egid = 0;
  fs_context copy() const;  // for fork; never sleeps
};

// An open file. dup and fork make further descriptors of the same open file.
struct file {
  u32 f_flags = 0;  // abi::o_*
  u32 f_count = 0;  // descriptors; 0: the slot is free
  inode_ref f_inode;
  checkpoint::volume_use f_use;  // of a block device
  u32 f_pos = 0;                 // in bytes
  u32 f_errors_seen = 0;         // of the inode's i_write_errors
  read_ahead f_ahead;
};
constexpr u32 NR_FILE = 128;
u32 files_in_use();

void fs_init();  // registers the mounts file, at boot; never sleeps
// Mounts the root file system, at boot; the result is the first process's context. Errors: einval
// (no or a damaged MINIX file system), and those of read_super.
result<fs_context> mount_root(dev_id dev);

// o_creat creates a missing file with the permissions `mode` less the umask. Errors: also enfile;
// etxtbsy when a program that runs shall be written.
result<file*> open_file(fs_context& ctx, std::string_view path, u32 flags, u16 mode);
file* share_file(file& f);  // one more descriptor; never sleeps
// Gives up one descriptor; it is gone also when an error is returned. The last descriptor of a file
// open for writing returns eio if delayed writes of the file have failed since the open file was
// told last (file_errors.h). A block device is synchronised first, unless its stick is away.
result<void> close_file(file& f);
// Bytes at the file's position, which moves; the count may be short (file_dev.h). 0: end of file.
result<u32> read_open_file(file& f, std::span<byte> to);
result<u32> write_open_file(file& f, std::span<const byte> from);  // short counts as POSIX says
// Sets the position and returns it. Never sleeps. espipe for pipes and terminals, einval for a
// negative position, eoverflow beyond 2^31 - 1.
result<u32> seek_file(file& f, i32 offset, u32 whence);
// fsync. Waits for an absent stick (interruptibly, at most io_wait) and returns when all that was
// dirty on the volume is durable, but for data of other files that the stick refuses. eio also once
// for writes of the file that have failed before (file_errors.h). A volume that was given up
// answers eio at every call.
result<void> sync_file(file& f);
// What ioctl's argument points to. Never sleeps. Errors: enotty.
result<ioctl_argument> argument_of_ioctl(file& f, u32 command);
result<u32> ioctl_file(file& f, u32 command, std::span<byte> argument);
result<abi::stat> stat_file(file& f);  // never sleeps
// getdents: fills `to` with whole records and returns their length in bytes; 0 at the end of the
// directory, einval when the first record does not fit.
result<u32> read_directory(file& f, std::span<byte> to);
// Sets the length in bytes. einval when the file is not open for writing or is no regular file.
// truncate_path: etxtbsy for a program that runs.
result<void> truncate_file(file& f, u32 size);
// Read end, write end; both are errors when one is: enfile, enomem. Never sleeps.
std::pair<result<file*>, result<file*>> make_pipe();

result<abi::stat> stat_path(fs_context& ctx, std::string_view path);
result<abi::statfs> statfs_path(fs_context& ctx, std::string_view path);
result<void> access_path(fs_context& ctx, std::string_view path, u32 mode);
result<void> truncate_path(fs_context& ctx, std::string_view path, u32 size);
result<void> chmod_path(fs_context& ctx, std::string_view path, u16 mode);
result<void> utime_path(fs_context& ctx, std::string_view path, u32 mtime);
result<void> link_path(fs_context& ctx, std::string_view from, std::string_view to);
result<void> unlink_path(fs_context& ctx, std::string_view path);
result<void> rename_path(fs_context& ctx, std::string_view from, std::string_view to);
result<void> make_directory(fs_context& ctx, std::string_view path, u16 mode);
result<void> remove_directory(fs_context& ctx, std::string_view path);
result<void> make_node(fs_context& ctx, std::string_view path, u16 mode, dev_id dev);
result<void> change_directory(fs_context& ctx, std::string_view path);
result<u32> current_directory(fs_context& ctx, std::span<char> to);  // getcwd: length with the NUL

// Mounts a block device on a directory, for root alone; `flags` may have abi::ms_rdonly. Errors:
// eperm, enotblk, enotdir, einval (no MINIX file system, or a damaged one), ebusy, enxio.
result<void> mount_path(fs_context& ctx, std::string_view device, std::string_view directory,
                        u32 flags);
// Unmounts what `path` names: the device or the directory. An absent stick with unwritten blocks is
// waited for, interruptibly and without limit; with `force` (umount -f) its blocks are given up
// instead. Errors: eperm, einval (not mounted there), ebusy (files are open on it; not for a volume
// that is given up), eintr, eio (a write failed, and it stays mounted; or the volume was given up
// without `force`, and it is unmounted).
result<void> umount_path(fs_context& ctx, std::string_view path, bool force);
// For the end of the machine (fs/replug/power_off.h): unmounts every file system but the root, and
// writes out those that cannot be unmounted. A stick that is away is left as it is. Sleeps.
void umount_all();
// It is not the end after all: the disks that are still mounted say again that they are in use.
// Sleeps.
void stay_mounted();

// The inode of a program to be executed. Errors: eacces when it is not a regular file or not
// executable, etxtbsy when it is open for writing.
result<program_ref> open_program(fs_context& ctx, std::string_view path);
// Copies bytes of a file from `offset` (in bytes) on; returns how many, fewer at the end of the
// file. Reads through the buffer cache and asks for the blocks that follow within this call.
result<u32> read_contents(m_inode& inode, u32 offset, std::span<byte> to);
