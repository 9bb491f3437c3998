// A process as the file system sees it: calls on whole files, for tests.
#pragma once

#include <string>

#include "tests/fs/files.h"
#include "tests/fs/machine.h"

namespace sim {

// Boots with a small root file system on the RAM disk that has /dev/sda, /dev/sda1, /dev/sdb,
// /dev/ckpt, /mnt and /mnt2. Inside a world, once.
fs_context boot_with_root(const boot_options& options = {});

// Drops the blocks of its inode table, which are clean, from the cache: a mount prefetches them.
void forget_inode_table(dev_id dev);

// Every call opens the file, does its work and closes it.
class session {
 public:
  explicit session(fs_context context) : context_(std::move(context)) {}

  fs_context& context() { return context_; }
  session fork() const { return session(context_.copy()); }

  // Creates or replaces the file.
  result<void> write(const std::string& path, const std::string& content);
  result<void> write_at(const std::string& path, u32 offset, const std::string& bytes);
  // Like write, but the file's blocks are overwritten in their place.
  result<void> overwrite(const std::string& path, const std::string& content);
  result<void> append(const std::string& path, const std::string& bytes);
  result<std::string> read(const std::string& path);
  result<void> sync_file(const std::string& path);
  result<void> mkdir(const std::string& path) { return make_directory(context_, path, 0755); }
  result<void> rmdir(const std::string& path) { return remove_directory(context_, path); }
  result<void> unlink(const std::string& path) { return unlink_path(context_, path); }
  result<void> link(const std::string& from, const std::string& to) {
    return link_path(context_, from, to);
  }
  result<void> rename(const std::string& from, const std::string& to) {
    return rename_path(context_, from, to);
  }
  result<void> truncate(const std::string& path, u32 size) {
    return truncate_path(context_, path, size);
  }
  result<void> mount(const std::string& device = "/dev/sda", const std::string& at = "/mnt") {
    return mount_path(context_, device, at, 0);
  }
  result<void> umount(const std::string& at = "/mnt", bool force = false) {
    return umount_path(context_, at, force);
  }

 private:
  fs_context context_;
};

}  // namespace sim
