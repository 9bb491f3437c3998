// The types that system calls speak in, as Linux i386 has them.
#pragma once

#include <stddef.h>
#include <stdint.h>

using ssize_t = int;
using off_t = int32_t;
using pid_t = int;
using uid_t = uint16_t;
using gid_t = uint16_t;
using mode_t = uint16_t;
using dev_t = uint16_t;
using ino_t = uint32_t;
using nlink_t = uint16_t;
using time_t = int32_t;
using useconds_t = uint32_t;

constexpr unsigned major(dev_t dev) { return dev >> 8; }
constexpr unsigned minor(dev_t dev) { return dev & 0xff; }
constexpr dev_t makedev(unsigned major_nr, unsigned minor_nr) {
  return static_cast<dev_t>(major_nr << 8 | (minor_nr & 0xff));
}
