// mem: devices without hardware. /dev/null (1,3) and /dev/zero (1,5) accept every write and keep
// nothing of it. A read of /dev/null gives 0 bytes, a read of /dev/zero as many zeros as asked for.
#pragma once

// Registers major 1. Called once at boot.
void mem_device_init();
