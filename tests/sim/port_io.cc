// The host's hal/port_io.h: a machine without any of the PC's old devices. A read gives all ones.
#include "hal/port_io.h"

u8 in8(io_port) { return 0xFF; }
u16 in16(io_port) { return 0xFFFF; }
u32 in32(io_port) { return 0xFFFF'FFFF; }
void out8(io_port, u8) {}
void out16(io_port, u16) {}
void out32(io_port, u32) {}
