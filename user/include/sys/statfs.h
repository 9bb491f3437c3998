// How full a file system is.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

struct statfs {
  uint32_t f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree;
  uint32_t f_fsid[2];
  uint32_t f_namelen, f_frsize, f_flags, spare[4];
};
static_assert(sizeof(struct statfs) == sizeof(abi::statfs));

extern "C" int statfs(const char* path, struct statfs* about);
