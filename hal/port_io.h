// The i386's I/O ports, for the drivers of the PC's old devices. Bodies in kernel/i386/; there is
// no host side: nothing portable uses ports.
#pragma once

#include "lib/types.h"

using io_port = u16;

u8 in8(io_port port);
u16 in16(io_port port);
u32 in32(io_port port);
void out8(io_port port, u8 value);
void out16(io_port port, u16 value);
void out32(io_port port, u32 value);
