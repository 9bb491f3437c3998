// mem: the devices that are not there. /dev/null (1,3) is always empty and swallows everything;
// /dev/zero (1,5) swallows as well and is full of zeros without end.
#pragma once

// Registers major 1. Called once at boot.
void mem_device_init();
