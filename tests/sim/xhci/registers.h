// An xHCI controller's registers, contexts and TRBs, as the hardware sees them (xHCI 1.2, chapters
// 5 and 6). Written from the specification, not from drivers/usb/xhci: so a mistake there is not
// repeated here.
#pragma once

#include "lib/types.h"

namespace sim::hc {

// Offsets in the window.
constexpr u32 window_size = 0x4000;
constexpr u32 operational_base = 0x40, runtime_base = 0x1000, doorbell_base = 0x2000,
              extended_base = 0x3000;

// Operational registers, from operational_base on.
constexpr u32 usbcmd = 0x00, usbsts = 0x04, pagesize = 0x08, crcr_low = 0x18, crcr_high = 0x1C,
              dcbaap_low = 0x30, dcbaap_high = 0x34, config = 0x38, port_base = 0x400;
constexpr u32 cmd_run = 1, cmd_reset = 2, cmd_interrupts = 4;
constexpr u32 sts_halted = 1, sts_interrupt = 8, sts_port_change = 16, sts_not_ready = 1u << 11,
              sts_error = 1u << 12;
// Bits that are reserved: to be preserved (RsvdP), or to be written as 0 (RsvdZ).
constexpr u32 usbcmd_preserved = 0xFFFE'1070, config_preserved = 0xFFFF'FC00,
              usbsts_zero = 0xFFFF'E0E2, portsc_zero = 1u << 2 | 3u << 28;
constexpr u32 crcr_stop = 2, crcr_abort = 4, crcr_running = 8;

// Interrupter 0, from runtime_base on.
constexpr u32 iman = 0x20, imod = 0x24, erstsz = 0x28, erstba_low = 0x30, erstba_high = 0x34,
              erdp_low = 0x38, erdp_high = 0x3C;
constexpr u32 iman_pending = 1, iman_enable = 2;
constexpr u32 erdp_busy = 8;
constexpr u32 iman_preserved = 0xFFFF'FFFC, erstsz_preserved = 0xFFFF'0000;

// PORTSC
constexpr u32 port_connected = 1, port_enabled = 2, port_over_current = 1u << 3,
              port_reset = 1u << 4, port_power = 1u << 9, port_cold_attach = 1u << 24,
              port_warm_reset = 1u << 31;
constexpr u32 change_connect = 1u << 17, change_enabled = 1u << 18, change_warm_reset = 1u << 19,
              change_over_current = 1u << 20, change_reset = 1u << 21, change_link = 1u << 22,
              change_config_error = 1u << 23, all_changes = 0x7Fu << 17;
constexpr u32 link_u0 = 0, link_disabled = 4, link_rx_detect = 5, link_inactive = 6,
              link_polling = 7, link_compliance = 10;

enum type : u32 {
  trb_normal = 1,
  trb_setup,
  trb_data,
  trb_status,
  trb_isoch,
  trb_link,
  trb_event_data,
  trb_no_op,
  cmd_enable_slot,
  cmd_disable_slot,
  cmd_address_device,
  cmd_configure_endpoint,
  cmd_evaluate_context,
  cmd_reset_endpoint,
  cmd_stop_endpoint,
  cmd_set_dequeue,
  cmd_reset_device,
  cmd_no_op = 23,
  event_transfer = 32,
  event_command = 33,
  event_port = 34,
  event_host = 37,
};

enum code : u32 {
  success = 1,
  data_buffer_error = 2,
  babble = 3,
  transaction_error = 4,
  trb_error = 5,
  stalled = 6,
  no_slots = 9,
  slot_not_enabled = 11,
  endpoint_not_enabled = 12,
  short_packet = 13,
  parameter_error = 17,
  context_state_error = 19,
  ring_full = 21,
  command_ring_stopped = 24,
  command_aborted = 25,
  stopped = 26,
  stopped_length_invalid = 27,
  stopped_short_packet = 28,
};

enum endpoint_state : u32 { ep_disabled, ep_running, ep_halted, ep_stopped, ep_error };
enum slot_state : u32 { slot_enabled = 0, slot_default, slot_addressed, slot_configured };

struct trb {
  u64 parameter = 0;
  u32 status = 0;
  u32 control = 0;
  u32 type() const { return control >> 10 & 63; }
  bool cycle() const { return control & 1; }
  bool toggle() const { return control & 2; }
  bool chain() const { return control & 1u << 4; }
  bool tells_short() const { return control & 1u << 2; }
  bool tells_completion() const { return control & 1u << 5; }
  bool immediate() const { return control & 1u << 6; }
  bool in() const { return control & 1u << 16; }
  u32 length() const { return status & 0x1'FFFF; }
  u32 td_size() const { return status >> 17 & 31; }
  u32 slot() const { return control >> 24; }
  u32 endpoint() const { return control >> 16 & 31; }
};
static_assert(sizeof(trb) == 16);

}  // namespace sim::hc
