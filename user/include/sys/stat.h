// What is known of a file: stat and its relatives.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

struct stat {
  dev_t st_dev, pad1;
  ino_t st_ino;
  mode_t st_mode;
  nlink_t st_nlink;
  uid_t st_uid;
  gid_t st_gid;
  dev_t st_rdev, pad2;
  uint32_t st_size, st_blksize, st_blocks;
  time_t st_atime;
  uint32_t st_atime_ns;
  time_t st_mtime;
  uint32_t st_mtime_ns;
  time_t st_ctime;
  uint32_t st_ctime_ns;
  uint32_t unused4, unused5;
};
static_assert(sizeof(struct stat) == sizeof(abi::stat));

constexpr mode_t S_IFMT = abi::s_ifmt, S_IFREG = abi::s_ifreg, S_IFDIR = abi::s_ifdir,
                 S_IFCHR = abi::s_ifchr, S_IFBLK = abi::s_ifblk, S_IFIFO = abi::s_ififo;
constexpr bool S_ISREG(mode_t mode) { return (mode & S_IFMT) == S_IFREG; }
constexpr bool S_ISDIR(mode_t mode) { return (mode & S_IFMT) == S_IFDIR; }
constexpr bool S_ISCHR(mode_t mode) { return (mode & S_IFMT) == S_IFCHR; }
constexpr bool S_ISBLK(mode_t mode) { return (mode & S_IFMT) == S_IFBLK; }
constexpr bool S_ISFIFO(mode_t mode) { return (mode & S_IFMT) == S_IFIFO; }

extern "C" {
int stat(const char* path, struct stat* about);
int lstat(const char* path, struct stat* about);
int fstat(int fd, struct stat* about);
int chmod(const char* path, mode_t mode);
int mkdir(const char* path, mode_t mode);
int mknod(const char* path, mode_t mode, dev_t dev);
mode_t umask(mode_t mask);
}
