// Device and input contexts (xHCI 1.2, 6.2): the data about a slot that driver and controller
// share.
//
// A context has 32 or 64 bytes, as the controller's CSZ bit tells; its fields are in the first 32.
// An input context begins with one more context, which tells what parts a command is about.
#pragma once

#include "drivers/usb/usb.h"
#include "hal/dma.h"
#include "lib/bits.h"
#include "lib/types.h"

namespace xhci {

// The device context index: the number of an endpoint in doorbells and commands.
constexpr u32 control_dci = 1;
constexpr u32 max_dci = 31;
constexpr u32 dci_of(u8 endpoint_address) {
  const u32 number = endpoint_address & 15u;
  return number == 0 ? control_dci : 2 * number + ((endpoint_address & 0x80) ? 1 : 0);
}

namespace slot_context {
using route_string = field<19, 0>;      // word 0
using speed = field<23, 20>;            // word 0
using context_entries = field<31, 27>;  // word 0: the highest DCI
using root_port = field<23, 16>;        // word 1
}  // namespace slot_context

namespace endpoint_context {
using state = field<2, 0>;            // word 0
using error_count = field<2, 1>;      // word 1
using type = field<5, 3>;             // word 1
using max_burst = field<15, 8>;       // word 1
using max_packet = field<31, 16>;     // word 1
using average_length = field<15, 0>;  // word 4
constexpr u32 state_running = 1;
constexpr u32 type_bulk_out = 2, type_control = 4, type_bulk_in = 6;
}  // namespace endpoint_context

// A row of contexts in memory of its own.
class context_table {
 public:
  // `count` contexts of `stride` bytes. Errors: enomem.
  result<void> allocate(u32 count, u32 stride) {
    memory_ = TRY(dma_buffer::allocate(count * stride, 64));
    stride_ = stride;
    return {};
  }
  volatile u32* at(u32 index) const { return memory_.as<u32>(index * stride_); }
  phys_addr address() const { return memory_.address(); }
  void clear() const {
    for (byte& b : memory_.bytes()) b = byte{0};
  }

 private:
  dma_buffer memory_;
  u32 stride_ = 0;
};

// The device context: slot at 0, endpoints by DCI.
constexpr u32 device_contexts = max_dci + 1;
// The input context: control at 0, slot at 1, endpoints at DCI + 1.
constexpr u32 input_contexts = device_contexts + 1;

}  // namespace xhci
