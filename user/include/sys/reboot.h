// The end of the session.
#pragma once

#include "lib/abi.h"

constexpr unsigned RB_AUTOBOOT = abi::reboot_restart, RB_POWER_OFF = abi::reboot_power_off,
                   RB_HALT_SYSTEM = abi::reboot_halt;

extern "C" int reboot(unsigned command);
