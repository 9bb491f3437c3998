// I/O ports of simulated devices. One model at a time answers for all ports; without one, a read
// gives all ones.
#pragma once

#include "hal/port_io.h"

namespace sim {

struct port_model {
  virtual ~port_model() = default;
  virtual u32 in(io_port port, u32 width) = 0;  // width: 1, 2 or 4 bytes
  virtual void out(io_port port, u32 width, u32 value) = 0;
};

void attach_ports(port_model& model);
void detach_ports();

}  // namespace sim
