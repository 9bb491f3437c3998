// The registers of an xHCI controller (xHCI 1.2, chapter 5): offsets and fields. PORTSC has a type
// of its own, because writing back the value that was read would disable the port.
//
// A register is read once into a word; the word is examined or changed, and written once. A word of
// all ones means that the controller has left the bus. Reserved bits (RsvdP, 5.1.1) are written as
// they were read.
#pragma once

#include "drivers/usb/usb.h"
#include "lib/bits.h"
#include "lib/types.h"

namespace xhci {

constexpr u32 all_ones = 0xFFFF'FFFF;

// 5.3: capability registers, at the start of the window.
namespace capability {
constexpr u32 length_version = 0x00, hcsparams1 = 0x04, hcsparams2 = 0x08, hccparams1 = 0x10,
              doorbell_offset = 0x14, runtime_offset = 0x18;
using caplength = field<7, 0>;
using max_slots = field<7, 0>;                // HCSPARAMS1
using max_ports = field<31, 24>;              // HCSPARAMS1
using scratchpads_high = field<25, 21>;       // HCSPARAMS2
using scratchpads_low = field<31, 27>;        // HCSPARAMS2
using large_contexts = field<2>;              // HCCPARAMS1, CSZ
using port_power_control = field<3>;          // HCCPARAMS1, PPC
using extended_capabilities = field<31, 16>;  // HCCPARAMS1, xECP, in dwords

constexpr u32 scratchpads(u32 hcsparams2_value) {
  return scratchpads_high::get(hcsparams2_value) << 5 | scratchpads_low::get(hcsparams2_value);
}
}  // namespace capability

// 5.4: operational registers, CAPLENGTH bytes behind the start of the window.
namespace operational {
constexpr u32 usbcmd = 0x00, usbsts = 0x04, pagesize = 0x08, crcr = 0x18, dcbaap = 0x30,
              config = 0x38, portsc_1 = 0x400, port_stride = 0x10;
constexpr u32 config_reserved = 0xFFFF'FC00;
constexpr u32 portsc(u32 port) { return portsc_1 + port_stride * (port - 1); }
}  // namespace operational

namespace usbcmd {
using run = field<0>;
using reset = field<1>;
using interrupter_enable = field<2>;
using host_system_error_enable = field<3>;
constexpr u32 reserved = 0xFFFE'1070;
}  // namespace usbcmd

namespace usbsts {
using halted = field<0>;
using host_system_error = field<2>;  // RW1C
using event_interrupt = field<3>;    // RW1C
using not_ready = field<11>;
using host_controller_error = field<12>;
}  // namespace usbsts

namespace crcr {
constexpr u64 ring_cycle_state = 1;
constexpr u64 command_abort = 4;
using running = field<3>;
}  // namespace crcr

// 5.5: runtime registers; interrupter 0 is the only one that raises INTx.
namespace runtime {
constexpr u32 iman = 0x20, imod = 0x24, erstsz = 0x28, erstba = 0x30, erdp = 0x38;
constexpr u64 event_handler_busy = 8;  // RW1C, in ERDP
using interrupt_pending = field<0>;    // RW1C, in IMAN
using interrupt_enable = field<1>;     // in IMAN
constexpr u32 iman_reserved = 0xFFFF'FFFC, erstsz_reserved = 0xFFFF'0000;
}  // namespace runtime

// 7: extended capabilities.
namespace extended {
using id = field<7, 0>;
using next = field<15, 8>;  // in dwords, relative; 0 ends the list
constexpr u32 id_legacy = 1, id_protocol = 2;
using bios_owned = field<16>;
using os_owned = field<24>;
// USBLEGCTLSTS: the reserved bits to keep and the status bits to clear. All SMI enables become 0.
constexpr u32 legacy_control_keep = 7u << 1 | 0xFFu << 5 | 7u << 17;
constexpr u32 legacy_control_clear = 7u << 29;
using major_revision = field<31, 24>;  // dword 0 of a supported protocol
using first_port = field<7, 0>;        // dword 2
using port_count = field<15, 8>;       // dword 2
using slot_type = field<4, 0>;         // dword 3
}  // namespace extended

enum class link_state : u8 {
  u0 = 0,
  u3 = 3,
  disabled = 4,
  rx_detect = 5,
  inactive = 6,
  polling = 7,
  recovery = 8,
  hot_reset = 9,
  compliance = 10,
  resume = 15
};

// A value read from PORTSC (5.4.8). Every value to write is made from neutral(), in which all bits
// that act when a 1 is written are 0. One of them is PED: writing 1 disables the port.
class port_status {
 public:
  constexpr explicit port_status(u32 raw) : raw_(raw) {}

  constexpr u32 raw() const { return raw_; }
  constexpr bool connected() const { return field<0>::in(raw_); }              // CCS
  constexpr bool enabled() const { return field<1>::in(raw_); }                // PED
  constexpr bool over_current() const { return field<3>::in(raw_); }           // OCA
  constexpr bool powered() const { return field<9>::in(raw_); }                // PP
  constexpr bool connect_changed() const { return field<17>::in(raw_); }       // CSC
  constexpr bool over_current_changed() const { return field<20>::in(raw_); }  // OCC
  constexpr bool reset_done() const { return field<21>::in(raw_); }            // PRC
  constexpr bool warm_reset_done() const { return field<19>::in(raw_); }       // WRC
  constexpr bool cold_attach() const { return field<24>::in(raw_); }           // CAS
  constexpr bool any_change() const { return (raw_ & changes) != 0; }
  constexpr link_state link() const { return static_cast<link_state>(field<8, 5>::get(raw_)); }
  constexpr u32 speed_id() const { return field<13, 10>::get(raw_); }

  constexpr u32 neutral() const { return raw_ & preserved; }
  constexpr u32 to_reset() const { return neutral() | field<4>::mask; }
  constexpr u32 to_warm_reset() const { return neutral() | field<31>::mask; }
  constexpr u32 to_power() const { return neutral() | field<9>::mask; }
  constexpr u32 to_clear_changes() const { return neutral() | (raw_ & changes); }
  constexpr bool any_minor_change() const { return (raw_ & minor_changes) != 0; }
  constexpr u32 to_clear_minor_changes() const { return neutral() | (raw_ & minor_changes); }

 private:
  // Read-only bits (writing them does nothing): CCS, OCA, speed, DR. Plain read-write bits: PLS
  // (ignored without LWS), PP, indicator, wake enables.
  static constexpr u32 preserved = field<0>::mask | field<3>::mask | field<13, 10>::mask |
                                   field<30>::mask | field<8, 5>::mask | field<9>::mask |
                                   field<15, 14>::mask | field<27, 25>::mask;
  static_assert(preserved == 0x4E00'FFE9);
  static constexpr u32 changes = field<23, 17>::mask;
  // Those that tell neither of a connection (CSC) nor of the end of a reset (PRC, WRC).
  static constexpr u32 minor_changes =
      field<18>::mask | field<20>::mask | field<22>::mask | field<23>::mask;

  u32 raw_;
};

}  // namespace xhci
