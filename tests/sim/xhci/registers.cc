// The window of registers (xHCI 1.2, chapter 5).
#include <utility>

#include "hal/clock.h"
#include "hal/irq.h"
#include "tests/sim/irq.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

namespace {
constexpr u32 bios_owned = 1u << 16, os_owned = 1u << 24;
constexpr u32 high_of(u64 value) { return static_cast<u32>(value >> 32); }
constexpr u64 with_low(u64 value, u32 low) { return (value & ~u64{0xFFFF'FFFF}) | low; }
constexpr u64 with_high(u64 value, u32 high) { return (value & 0xFFFF'FFFF) | u64{high} << 32; }
}  // namespace

controller::controller(const controller_settings& chosen, timeline& time)
    : chosen_(chosen),
      time_(time),
      dma_([this](const std::string& text) { complain(text); }),
      legacy_(chosen.firmware_owns_it ? bios_owned : 0) {
  // The state of the ports after power-up.
  for (port& p : ports_) {
    p.status |= link_rx_detect << 5;
    if (chosen.ports_off) p.status &= ~port_power;
  }
}

void controller::complain(const std::string& text) {
  if (violations_.size() < 20) violations_.push_back(text);
}

u32 controller::slots_in_use() const {
  u32 count = 0;
  for (const slot& s : slots_) count += s.enabled;
  return count;
}

void controller::break_down() {
  status_ |= sts_error | sts_halted;
  command_register_ &= ~cmd_run;
  if (!silent_ && has_unread_events()) silent_ = true, expect_irq();
}

// --- reading ---

u32 controller::read32(u32 offset) {
  if (off_the_bus) return ~0u;
  if (const auto said = says.find(offset); said != says.end()) return said->second;
  if (now() < untouchable_until_) complain("a register was read within 1 ms of HCRST");
  if (offset >= extended_base) return read_extended(offset - extended_base);
  if (offset >= doorbell_base) return 0;
  if (offset >= runtime_base) return read_runtime(offset - runtime_base);
  if (offset >= operational_base) return read_operational(offset - operational_base);
  switch (offset) {
    case 0x00: return operational_base | 0x0110u << 16;
    case 0x04: return chosen_.slots | 1u << 8 | ports << 24;
    case 0x08: return (chosen_.scratchpads >> 5) << 21 | (chosen_.scratchpads & 31) << 27;
    case 0x10: return 1u | (chosen_.large_contexts ? 4u : 0u) | 8u | (extended_base / 4) << 16;
    case 0x14: return doorbell_base;
    case 0x18: return runtime_base;
    default: return 0;
  }
}

// The firmware's semaphore; the ports of USB 3, and those of USB 2, both with slot type 0 (7.2).
u32 controller::read_extended(u32 offset) {
  constexpr u32 protocol = 2, usb_text = 0x2042'5355;
  switch (offset) {
    case 0x00: {
      const u32 now = legacy_;
      if (legacy_ & os_owned) legacy_ &= ~bios_owned;  // the firmware gives it up a moment later
      return now | 1 | 4u << 8;
    }
    case 0x10: return protocol | 8u << 8 | 3u << 24;
    case 0x18: return 1 | super_ports << 8;
    case 0x30: return protocol | 2u << 24;
    case 0x3C: return chosen_.usb2_slot_type;
    case 0x38: return (super_ports + 1) | (ports - super_ports) << 8;
    case 0x14:
    case 0x34: return usb_text;
    default: return 0;
  }
}

u32 controller::read_operational(u32 offset) {
  if (offset >= port_base) {
    const u32 number = (offset - port_base) / 16 + 1;
    return offset % 16 == 0 && number <= ports ? ports_[number].status : 0;
  }
  switch (offset) {
    case usbcmd: return command_register_ | reserved(usbcmd_preserved);
    case usbsts: return status_;
    case pagesize: return chosen_.page_sizes;
    case crcr_low:
      if (commands_stopping_ && stops_at_a_look) stop_commands();
      return commands_running_ && !chosen_.like_qemu ? crcr_running : 0;
    case dcbaap_low: return static_cast<u32>(dcbaap_);
    case dcbaap_high: return high_of(dcbaap_);
    case config: return config_ | reserved(config_preserved);
    default: return 0;
  }
}

u32 controller::read_runtime(u32 offset) const {
  switch (offset) {
    case iman: return iman_ | reserved(iman_preserved);
    case imod: return imod_;
    case erstsz: return erstsz_ | reserved(erstsz_preserved);
    case erstba_low: return static_cast<u32>(erstba_);
    case erstba_high: return high_of(erstba_);
    case erdp_low: return static_cast<u32>(erdp_);
    case erdp_high: return high_of(erdp_);
    default: return 0;
  }
}

// --- writing ---

void controller::write32(u32 offset, u32 value) {
  const bool masked = !irqs_are_enabled();
  const irq_guard until_it_has_acted;
  if (off_the_bus) return;
  const bool doorbell = offset >= doorbell_base && offset < extended_base;
  if (doorbell && !masked && by_a_kernel) complain("a doorbell was rung with interrupts enabled");
  step(doorbell ? step_kind::doorbell_before : step_kind::register_before);
  write(offset, value);
  step(doorbell ? step_kind::doorbell_after : step_kind::register_after);
}

void controller::write(u32 offset, u32 value) {
  if (offset >= extended_base) {
    if (offset == extended_base) legacy_ = (legacy_ & bios_owned & value) | (value & os_owned);
  } else if (offset >= doorbell_base) {
    ring_doorbell((offset - doorbell_base) / 4, value);
  } else if (offset >= runtime_base) {
    write_runtime(offset - runtime_base, value);
  } else if (offset >= operational_base) {
    write_operational(offset - operational_base, value);
  } else {
    complain("a read-only register was written");
  }
}

void controller::write_operational(u32 offset, u32 value) {
  if (status_ & sts_not_ready && offset != usbcmd)
    return complain("a register was written before the controller was ready");
  if (offset >= port_base) {
    const u32 number = (offset - port_base) / 16 + 1;
    if (offset % 16 == 0 && number <= ports) write_port(number, value);
    return;
  }
  switch (offset) {
    case usbcmd: return write_command_register(value);
    case usbsts:
      if (value & usbsts_zero) complain("reserved bits of USBSTS are not 0");
      status_ &= ~(value & (sts_interrupt | sts_port_change | 4));
      return;
    case crcr_low:
    case crcr_high: return write_command_ring(offset, value);
    case dcbaap_low:
      if (value & 63) complain("a context base address array that is not aligned");
      if (!(status_ & sts_halted)) complain("DCBAAP was written while running");
      dcbaap_ = with_low(dcbaap_, value & ~63u);
      return;
    case dcbaap_high: dcbaap_ = with_high(dcbaap_, value); return;
    case config:
      if (!(status_ & sts_halted)) complain("CONFIG was written while running");
      check_preserved("CONFIG", value, config_preserved);
      config_ = value & 0xFF;
      if (config_ > chosen_.slots) complain("more slots enabled than there are");
      return;
    default: return;
  }
}

// 5.1.1, RsvdP.
void controller::check_preserved(const char* which, u32 value, u32 bits) {
  if ((value & bits) != reserved(bits))
    complain(std::string("reserved bits of ") + which + " are not preserved");
}

void controller::write_command_register(u32 value) {
  check_preserved("USBCMD", value, usbcmd_preserved);
  value &= ~usbcmd_preserved;
  if (never_resets) {
    command_register_ =
        (command_register_ & ~cmd_interrupts) | (value & (cmd_reset | cmd_interrupts));
    return drive_line();
  }
  if (value & cmd_reset) {
    if (!(status_ & sts_halted) && !never_halts) complain("HCRST while running");
    return reset();
  }
  const bool was_running = command_register_ & cmd_run;
  command_register_ = value;
  drive_line();
  if (!was_running && (value & cmd_run))
    time_.between({}, 1_ms, [this, run = ++runs_] {
      if (run == runs_) start();
    });
  if (was_running && !(value & cmd_run) && !never_halts) halt_soon();
}

// 5.4.1.1: it halts within 16 ms.
void controller::halt_soon() {
  time_.between({}, chosen_.halt_time, [this, run = ++runs_] {
    if (run != runs_) return;
    status_ |= sts_halted;
    commands_running_ = commands_stopping_ = false;
  });
}

void controller::start() {
  if (status_ & sts_error) return;
  status_ &= ~sts_halted;
  if (config_ == 0) complain("started without any slot");
  const u64 table = dcbaap_;
  const bus_place contexts =
      dma_.learn(table, 8 * (config_ + 1), "the device context base address array");
  for (u32 id = 1; id <= config_; ++id)
    if (dma_.read<u64>(contexts, 8 * id, "the context base address array") != 0)
      complain("a device context for a slot that is disabled");
  if (chosen_.scratchpads > 0) {
    const u64 array = dma_.read<u64>(contexts, 0, "the scratchpad pointer");
    const bus_place pads = dma_.learn(array, 8 * chosen_.scratchpads, "the scratchpad array");
    if (array % 64 != 0) complain("a scratchpad array that is not aligned");
    for (u32 i = 0; i < chosen_.scratchpads; ++i) {
      const u64 pad = dma_.read<u64>(pads, 8 * i, "the scratchpad array");
      if (pad % 4096 != 0) complain("a scratchpad that is no page");
      dma_.learn(pad, 4096, "a scratchpad");
    }
  }
  if (chosen_.like_qemu) return;  // no event for devices that were plugged in before
  for (u32 n = 1; n <= ports; ++n)
    if (ports_[n].status & all_changes) post({u64{n} << 24, success << 24, event_port << 10});
}

void controller::reset() {
  if (std::exchange(silent_, false)) forget_irq();
  command_register_ = cmd_reset;
  status_ = sts_halted | sts_not_ready;
  untouchable_until_ = now() + 1_ms;  // some of Intel's
  time_.between(1_ms, chosen_.reset_time, [this, run = ++runs_] {
    if (run == runs_) end_reset();
  });
  config_ = iman_ = erstsz_ = 0;
  drive_line();
  imod_ = imod_after_reset;
  dcbaap_ = crcr_ = erstba_ = erdp_ = 0;
  event_ring_ = {};
  commands_running_ = commands_stopping_ = command_hangs_ = ring_never_stops = false;
  for (slot& s : slots_) s = {};
  for (u32 n = 1; n <= ports; ++n) {
    ports_[n].status = (chosen_.ports_off ? 0 : port_power) | link_rx_detect << 5;
    ports_[n].contact.reset();
    if (ports_[n].device) show_connection(n);
  }
}

// HCRST is over; CNR a moment later.
void controller::end_reset() {
  command_register_ &= ~cmd_reset;
  time_.between({}, 5_ms, [this, run = runs_] {
    if (run == runs_) status_ &= ~sts_not_ready;
  });
}

void controller::write_command_ring(u32 offset, u32 value) {
  crcr_ = offset == crcr_low ? with_low(crcr_, value) : with_high(crcr_, value);
  if (commands_running_) {
    // A stop waits for the command under way, also for one that hangs (4.6.1.1).
    const bool stops = (crcr_ & crcr_abort) || ((crcr_ & crcr_stop) && !command_hangs_);
    if (offset == crcr_high && stops) abort_commands();
    return;
  }
  if (offset == crcr_low) return;
  const u64 ring = crcr_ & ~u64{63};
  if (crcr_ & 0x30) complain("a command ring that is not aligned");
  commands_ = {dma_.learn(ring, sizeof(trb), "the command ring"), (crcr_ & 1) != 0};
}

void controller::write_runtime(u32 offset, u32 value) {
  switch (offset) {
    case iman:
      check_preserved("IMAN", value, iman_preserved);
      // 5.4.2: otherwise an interrupt between the two is lost.
      if ((value & iman_ & iman_pending) && (status_ & sts_interrupt))
        complain("IP was cleared before EINT");
      iman_ = (value & iman_enable) | (iman_ & iman_pending & ~value);
      return drive_line();
    case imod: imod_ = value; return;
    case erstsz:
      check_preserved("ERSTSZ", value, erstsz_preserved);
      erstsz_ = value & 0xFFFF;
      return;
    case erstba_low:
      if (value & 63) complain("an event ring segment table that is not aligned");
      erstba_ = with_low(erstba_, value & ~63u);
      return;
    case erstba_high: erstba_ = with_high(erstba_, value); return start_event_ring();
    case erdp_low: {
      const bool busy = (erdp_ & erdp_busy) && !(value & erdp_busy);
      erdp_ = with_low(erdp_, (value & ~15u) | (busy ? erdp_busy : 0));
      return;
    }
    case erdp_high: {
      erdp_ = with_high(erdp_, value);
      check_dequeue();
      event_ring_full_ = false;
      // Events that have not been read yet cause another interrupt (4.17.2).
      if (has_unread_events())
        interrupt();
      else if (std::exchange(silent_, false))
        forget_irq();
      return;
    }
    default: return;
  }
}

}  // namespace sim::hc
