// fs.h: the file system as the system calls see it.
//
// - Paths are looked up relative to a process's fs_context. User memory arrives as spans that
//   verify_area has checked and faulted in, so nothing here ever faults.
// - Every function may sleep unless it says otherwise. Errors are POSIX's for the call of the same
//   name; eio and eintr are always possible where a device is touched.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "fs/read_ahead.h"
#include "lib/abi.h"
#include "lib/ids.h"
#include "lib/result.h"

struct m_inode;  // fs/inode.h

// One reference to an in-core inode; the destructor is iput.
class [[nodiscard]] inode_ref {
 public:
  inode_ref() = default;
  explicit inode_ref(m_inode* inode) : inode_(inode) {}  // takes over one count
  inode_ref(inode_ref&& other) noexcept : inode_(std::exchange(other.inode_, nullptr)) {}
  inode_ref& operator=(inode_ref&& other) noexcept;
  ~inode_ref();

  inode_ref copy() const;  // one more reference; never sleeps
  explicit operator bool() const { return inode_ != nullptr; }
  m_inode* get() const { return inode_; }
  m_inode* operator->() const { return inode_; }
  m_inode& operator*() const { return *inode_; }

 private:
  m_inode* inode_ = nullptr;
};

// What a process brings along to every path: root and current directory, umask, ids. Part of
// task_struct.
struct fs_context {
  inode_ref root;
  inode_ref pwd;
  u16 umask = 022;
  u16 euid = 0, egid = 0;
  fs_context copy() const;  // for fork
};

// An open file, shared by every descriptor that dup and fork made of it.
struct file {
  u32 f_flags = 0;  // abi::o_*
  u32 f_count = 0;  // 0: free slot
  inode_ref f_inode;
  u32 f_pos = 0;
  read_ahead f_ahead;
};
constexpr u32 NR_FILE = 128;

void fs_init();                             // inode and file tables
result<fs_context> mount_root(dev_id dev);  // einval for a bad file system

result<file*> open_file(fs_context& ctx, std::string_view path, u32 flags, u16 mode);
file* share_file(file& f);  // one more descriptor; never sleeps
// Gives up one descriptor. The last one of a written file reports an error that its writes have
// met.
result<void> close_file(file& f);
result<u32> read_open_file(file& f, std::span<byte> to);
result<u32> write_open_file(file& f, std::span<const byte> from);  // short counts as POSIX says
result<u32> seek_file(file& f, i32 offset, u32 whence);
result<void> sync_file(file& f);               // fsync: durable, or eio every time
result<u32> ioctl_size(file& f, u32 command);  // bytes behind ioctl's argument
result<u32> ioctl_file(file& f, u32 command, std::span<byte> argument);
result<abi::stat> stat_file(file& f);
// Fills whole getdents records; 0 at the end of the directory, einval when not even one fits.
result<u32> read_directory(file& f, std::span<byte> to);
result<void> truncate_file(file& f, u32 size);
std::pair<result<file*>, result<file*>> make_pipe();  // read end, write end

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

// abi::ms_rdonly in flags. enotblk, einval (not a MINIX file system, damaged), ebusy, enxio.
result<void> mount_path(fs_context& ctx, std::string_view device, std::string_view directory,
                        u32 flags);
// `path` is the device or the directory. force: umount -f, which gives an absent stick's blocks up.
// Else an absent stick with unwritten blocks is waited for, interruptibly. ebusy while files are
// open on it.
result<void> umount_path(fs_context& ctx, std::string_view path, bool force);
// For the end of the machine (fs/replug/power_off.h): unmounts every file system but the root, and
// writes out those that cannot be unmounted. A stick that is away is left as it is. Sleeps.
void umount_all();
// It is not the end after all: the disks that are still mounted say again that they are in use.
// Sleeps.
void stay_mounted();

// The inode of a program to be executed: regular and executable, else eacces.
result<inode_ref> open_program(fs_context& ctx, std::string_view path);
// Bytes of a file at an offset, fewer at its end; through the buffer cache, with read-ahead.
result<u32> read_contents(m_inode& inode, u32 offset, std::span<byte> to);
