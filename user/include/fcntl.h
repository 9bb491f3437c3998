// Opening files.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

constexpr int O_ACCMODE = abi::o_accmode, O_RDONLY = abi::o_rdonly, O_WRONLY = abi::o_wronly,
              O_RDWR = abi::o_rdwr, O_CREAT = abi::o_creat, O_EXCL = abi::o_excl,
              O_NOCTTY = abi::o_noctty, O_TRUNC = abi::o_trunc, O_APPEND = abi::o_append,
              O_NONBLOCK = abi::o_nonblock, O_DIRECTORY = abi::o_directory;
constexpr int F_DUPFD = abi::f_dupfd, F_GETFD = abi::f_getfd, F_SETFD = abi::f_setfd,
              F_GETFL = abi::f_getfl, F_SETFL = abi::f_setfl, FD_CLOEXEC = abi::fd_cloexec;

extern "C" {
int open(const char* path, int flags, ...);  // the third argument is the mode, with O_CREAT
int creat(const char* path, mode_t mode);
int fcntl(int fd, int command, ...);
}
