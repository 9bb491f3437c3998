// Transfer request blocks (xHCI 1.2, 6.4): the records of 16 bytes that driver and controller
// exchange.
//
// The controller may read their memory at any moment. So only ring.h stores TRBs there, and it
// stores the word with the cycle bit last.
#pragma once

#include <bit>

#include "drivers/usb/usb.h"
#include "lib/bits.h"
#include "lib/ids.h"
#include "lib/types.h"

namespace xhci {

static_assert(std::endian::native == std::endian::little, "TRBs and contexts are little-endian");

enum class trb_type : u32 {
  normal = 1,
  setup = 2,
  data = 3,
  status = 4,
  link = 6,
  enable_slot = 9,
  disable_slot = 10,
  address_device = 11,
  configure_endpoint = 12,
  evaluate_context = 13,
  reset_endpoint = 14,
  stop_endpoint = 15,
  set_tr_dequeue = 16,
  reset_device = 17,
  no_op_command = 23,
  transfer_event = 32,
  command_completion_event = 33,
  port_status_event = 34,
  host_controller_event = 37,
};

// 6.4.5
enum class completion : u8 {
  invalid = 0,
  success = 1,
  data_buffer_error = 2,
  babble = 3,
  transaction_error = 4,
  trb_error = 5,
  stall = 6,
  no_slots = 9,
  slot_not_enabled = 11,
  endpoint_not_enabled = 12,
  short_packet = 13,
  context_state = 19,
  command_ring_stopped = 24,
  command_aborted = 25,
  stopped = 26,
  stopped_length_invalid = 27,
  stopped_short_packet = 28,
  undefined = 33,
  split_transaction = 36,
};

struct alignas(16) trb {
  u64 parameter = 0;
  u32 status = 0;
  u32 control = 0;
};
static_assert(sizeof(trb) == 16);

namespace trb_control {
using cycle = field<0>;
using toggle_cycle = field<1>;  // Link
using interrupt_on_short = field<2>;
using chain = field<4>;
using interrupt_on_completion = field<5>;
using immediate_data = field<6>;
using type = field<15, 10>;
using data_in = field<16>;            // Data and Status stage
using transfer_type = field<17, 16>;  // Setup stage: 0 no data, 2 OUT, 3 IN
using endpoint = field<20, 16>;       // commands and events: the device context index
using slot_type = field<20, 16>;      // Enable Slot
using slot = field<31, 24>;
}  // namespace trb_control

namespace trb_status {
using length = field<16, 0>;
using td_size = field<21, 17>;
using residual = field<23, 0>;     // transfer event
using code = field<31, 24>;        // events
using event_port = field<31, 24>;  // in the low half of a port status event's parameter
}  // namespace trb_status

constexpr trb_type type_of(const trb& t) {
  return static_cast<trb_type>(trb_control::type::get(t.control));
}
constexpr completion code_of(const trb& event) {
  return static_cast<completion>(trb_status::code::get(event.status));
}
constexpr u32 type_bits(trb_type type) { return trb_control::type::of(static_cast<u32>(type)); }

// Transfers (6.4.1). The ring sets the cycle bit.
constexpr trb normal_trb(phys_addr at, u32 length, u32 td_size, u32 flags) {
  return {at.value(), trb_status::length::of(length) | trb_status::td_size::of(td_size),
          type_bits(trb_type::normal) | flags};
}
inline trb setup_trb(const usb::setup_packet& setup, bool has_data, bool in) {
  const u32 transfer_type = !has_data ? 0 : in ? 3 : 2;
  return {std::bit_cast<u64>(setup), trb_status::length::of(8),
          type_bits(trb_type::setup) | trb_control::immediate_data::mask |
              trb_control::transfer_type::of(transfer_type)};
}
constexpr trb data_trb(phys_addr at, u32 length, bool in) {
  return {at.value(), trb_status::length::of(length),
          type_bits(trb_type::data) | trb_control::data_in::of(in) |
              (in ? trb_control::interrupt_on_short::mask : 0)};
}
constexpr trb status_trb(bool in) {
  return {0, 0,
          type_bits(trb_type::status) | trb_control::data_in::of(in) |
              trb_control::interrupt_on_completion::mask};
}
constexpr trb link_trb(phys_addr to, bool toggle_cycle) {
  return {to.value(), 0, type_bits(trb_type::link) | trb_control::toggle_cycle::of(toggle_cycle)};
}

// Commands (6.4.3).
constexpr trb enable_slot_command(u32 slot_type) {
  return {0, 0, type_bits(trb_type::enable_slot) | trb_control::slot_type::of(slot_type)};
}
constexpr trb slot_command(trb_type type, u32 slot, phys_addr input_context = {}) {
  return {input_context.value(), 0, type_bits(type) | trb_control::slot::of(slot)};
}
constexpr trb endpoint_command(trb_type type, u32 slot, u32 endpoint, u64 parameter = 0) {
  return {parameter, 0,
          type_bits(type) | trb_control::slot::of(slot) | trb_control::endpoint::of(endpoint)};
}

}  // namespace xhci
