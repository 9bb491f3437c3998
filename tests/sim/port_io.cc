// The host's hal/port_io.h: a machine without any of the PC's old devices, except for those that a
// test attaches. A read of any other port gives all ones.
#include "tests/sim/port_io.h"

namespace {

sim::port_model* attached = nullptr;

u32 in(io_port port, u32 width) { return attached ? attached->in(port, width) : 0xFFFF'FFFF; }
void out(io_port port, u32 width, u32 value) {
  if (attached) attached->out(port, width, value);
}

}  // namespace

namespace sim {
void attach_ports(port_model& model) { attached = &model; }
void detach_ports() { attached = nullptr; }
}  // namespace sim

u8 in8(io_port port) { return static_cast<u8>(in(port, 1)); }
u16 in16(io_port port) { return static_cast<u16>(in(port, 2)); }
u32 in32(io_port port) { return in(port, 4); }
void out8(io_port port, u8 value) { out(port, 1, value); }
void out16(io_port port, u16 value) { out(port, 2, value); }
void out32(io_port port, u32 value) { out(port, 4, value); }
