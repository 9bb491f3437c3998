// The end of the session.
#pragma once

#include "lib/abi.h"

constexpr unsigned RB_AUTOBOOT = abi::reboot_restart, RB_POWER_OFF = abi::reboot_power_off,
                   RB_HALT_SYSTEM = abi::reboot_halt;
constexpr unsigned RB_FORCE = abi::reboot_force;

// Returns only when the machine stays on: -1. EBUSY: blocks wait for a stick, and the console says
// which. With RB_FORCE they are given up, and the console names the files.
extern "C" int reboot(unsigned command, unsigned flags = 0);
