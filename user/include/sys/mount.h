// Mounting file systems.
#pragma once

#include "lib/abi.h"

constexpr unsigned long MS_RDONLY = abi::ms_rdonly;
constexpr int MNT_FORCE = abi::mnt_force;

extern "C" {
int mount(const char* device, const char* directory, const char* type, unsigned long flags,
          const void* data);
int umount(const char* target);
int umount2(const char* target, int flags);
}
