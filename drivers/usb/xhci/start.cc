// Bringing a controller up (xHCI 1.2, 4.2), step by step.
#include "drivers/usb/xhci/attendant.h"
#include "hal/log.h"
#include "hal/memory.h"

namespace xhci {

namespace {
// The reserved bits of the register are written as they were read (5.1.1).
void write_preserving(const mmio_window& registers, u32 offset, u32 reserved, u32 value) {
  registers.write32(offset, (registers.read32(offset) & reserved) | value);
}
}  // namespace

result<void> controller::start() {
  running_ = dead_ = false;
  TRY(reserve());
  for (u32 n = 1; n <= port_count_; ++n) ports_[n].begin_as(*this, n);
  walk_extended_capabilities();
  TRY(halt_and_reset());
  restore_bus_access();
  clear_memory();
  program_rings();
  return begin();
}

result<void> controller::read_capabilities() {
  const u32 length_version = registers_.read32(capability::length_version);
  if (length_version == all_ones) return fail(error::enodev);
  const u32 hcsparams1 = registers_.read32(capability::hcsparams1);
  const u32 hccparams1 = registers_.read32(capability::hccparams1);
  slots_ = std::min(capability::max_slots::get(hcsparams1), max_slots);
  port_count_ = std::min(capability::max_ports::get(hcsparams1), max_ports);
  scratchpad_count_ = capability::scratchpads(registers_.read32(capability::hcsparams2));
  context_stride_ = capability::large_contexts::in(hccparams1) ? 64 : 32;
  has_port_power_ = capability::port_power_control::in(hccparams1);

  const u32 operational = capability::caplength::get(length_version);
  const u32 runtime = registers_.read32(capability::runtime_offset) & ~0x1Fu;
  const u32 doorbells = registers_.read32(capability::doorbell_offset) & ~3u;
  const u64 size = registers_.size();
  if (operational + u64{operational::portsc(port_count_ + 1)} > size ||
      runtime + u64{0x40} > size || doorbells + 4 * (u64{slots_} + 1) > size || slots_ == 0 ||
      port_count_ == 0)
    return fail(error::eio);
  operational_ = registers_.from(operational);
  runtime_ = registers_.from(runtime);
  doorbells_ = registers_.from(doorbells);
  return {};
}

void controller::walk_extended_capabilities() {
  const u32 hccparams1 = registers_.read32(capability::hccparams1);
  u32 offset = 4 * capability::extended_capabilities::get(hccparams1);
  for (int steps = 0; steps < 64 && offset != 0 && offset + 16 <= registers_.size(); ++steps) {
    const u32 header = registers_.read32(offset);
    if (extended::id::get(header) == extended::id_legacy) take_from_firmware(offset);
    if (extended::id::get(header) == extended::id_protocol) read_protocol(offset);
    const u32 next = 4 * extended::next::get(header);
    if (next == 0) return;
    offset += next;
  }
}

// 4.22.1: takes the controller over from the firmware, by force if the firmware does not answer,
// and switches its interrupts to SMM off.
void controller::take_from_firmware(u32 offset) {
  const u32 header = registers_.read32(offset);
  if (extended::bios_owned::in(header)) {
    registers_.write32(offset, header | extended::os_owned::mask);
    const instant deadline = now() + 1_s;
    while (extended::bios_owned::in(registers_.read32(offset)) && now() < deadline)
      sleep_for(10_ms);
    const u32 left = registers_.read32(offset);
    if (extended::bios_owned::in(left)) {
      printk("xhci%u: the firmware does not let go, taken by force\n", number_);
      registers_.write32(offset, extended::bios_owned::set(left, 0));
    }
  }
  const u32 control = registers_.read32(offset + 4);
  registers_.write32(offset + 4,
                     (control & extended::legacy_control_keep) | extended::legacy_control_clear);
}

// 7.2: which ports have which version of USB.
void controller::read_protocol(u32 offset) {
  const u32 revision = extended::major_revision::get(registers_.read32(offset));
  const u32 ports = registers_.read32(offset + 8);
  const u32 slot_type = extended::slot_type::get(registers_.read32(offset + 12));
  const u32 first = extended::first_port::get(ports);
  for (u32 n = first; n < first + extended::port_count::get(ports); ++n)
    if (n >= 1 && n <= port_count_)
      ports_[n].set_protocol(static_cast<u8>(revision), static_cast<u8>(slot_type));
}

result<void> controller::wait_register(u32 offset, u32 mask, u32 value, duration timeout) {
  const instant deadline = now() + timeout;
  for (;;) {
    const u32 word = operational_.read32(offset);
    if (word == all_ones) return fail(error::enodev);
    if ((word & mask) == value) return {};
    if (now() >= deadline) return fail(error::etimedout);
    sleep_for(1_ms);
  }
}

// The firmware may have left the controller running, with rings in memory that is the kernel's now.
result<void> controller::halt_and_reset() {
  TRY(wait_register(operational::usbsts, usbsts::not_ready::mask, 0, 5_s));
  write_preserving(operational_, operational::usbcmd, usbcmd::reserved, 0);
  // A controller that does not halt in 16 ms (5.4.1.1) is reset all the same.
  static_cast<void>(
      wait_register(operational::usbsts, usbsts::halted::mask, usbsts::halted::mask, 32_ms));
  in_reset_ = true;
  write_preserving(operational_, operational::usbcmd, usbcmd::reserved, usbcmd::reset::mask);
  sleep_for(1_ms);  // some of Intel's controllers must not be accessed for a millisecond
  in_reset_ = false;
  TRY(wait_register(operational::usbcmd, usbcmd::reset::mask, 0, 10_s));
  TRY(wait_register(operational::usbsts, usbsts::not_ready::mask, 0, 10_s));
  stopped_ = true;
  return {};
}

// Only after a reset: it has forgotten every address by then.
void controller::restore_bus_access() {
  if (!cut_off_) return;
  cut_off_ = false;
  bus_.restore(bus_.argument);
}

// --- memory and tasks ---

// Memory and tasks that an earlier call has taken are kept.
result<void> controller::reserve() {
  TRY(read_capabilities());
  if ((operational_.read32(operational::pagesize) & 1) == 0) return fail(error::enotsup);
  TRY(reserve_memory());
  return reserve_attendants();
}

result<void> controller::reserve_memory() {
  if (!contexts_) contexts_ = TRY(dma_buffer::allocate((max_slots + 1) * sizeof(u64), 64));
  if (!command_memory_[0]) TRY(allocate_segments(command_memory_));
  if (!events_.is_allocated()) TRY(events_.allocate());
  return reserve_scratchpads();
}

result<void> controller::reserve_scratchpads() {
  if (scratchpad_count_ == 0) return {};
  if (!scratchpad_array_)
    scratchpad_array_ = TRY(dma_buffer::allocate(scratchpad_count_ * u32{sizeof(u64)}, 4096));
  if (!scratchpads_)
    scratchpads_ = TRY(dma_buffer::allocate(scratchpad_count_ * PAGE_SIZE, PAGE_SIZE));
  return {};
}

result<void> controller::reserve_attendants() {
  for (u32 n = 1; n <= port_count_; ++n) {
    if (attendants_[n]) continue;
    ports_[n].begin_as(*this, n);
    attendants_[n] = TRY(attendant::make(*this, ports_[n]));
  }
  return {};
}

// Clears everything that an earlier start of the controller has left in the memory.
void controller::clear_memory() {
  for (u32 slot = 1; slot <= max_slots; ++slot) bind_slot(slot, nullptr, {});
  for (u32 at = 0; at < scratchpads_.bytes().size(); at += PAGE_SIZE)
    scratchpad_array_.as<u64>()[at / PAGE_SIZE] = scratchpads_.address().value() + at;
  contexts_.as<u64>()[0] = scratchpad_array_.address().value();
  commands_.use(command_memory_);
  events_.clear();
  command_ = {};
  slot_is_lost_ = false;
}

void controller::program_rings() {
  dma_write_barrier();
  write_preserving(operational_, operational::config, operational::config_reserved, slots_);
  operational_.write64(operational::dcbaap, contexts_.address().value());
  operational_.write64(operational::crcr, commands_.pointer_to(0) | crcr::ring_cycle_state);
  write_preserving(runtime_, runtime::erstsz, runtime::erstsz_reserved, 1);
  runtime_.write64(runtime::erdp, events_.dequeue_address().value());
  runtime_.write64(runtime::erstba, events_.segment_table().value());  // starts the ring (4.9.4)
  // At least 40 µs between two interrupts.
  runtime_.write32(runtime::imod, 160);
  write_preserving(runtime_, runtime::iman, runtime::iman_reserved,
                   runtime::interrupt_enable::mask | runtime::interrupt_pending::mask);
}

result<void> controller::begin() {
  stopped_ = false;
  running_ = true;
  write_preserving(operational_, operational::usbcmd, usbcmd::reserved,
                   usbcmd::run::mask | usbcmd::interrupter_enable::mask |
                       usbcmd::host_system_error_enable::mask);
  TRY(wait_register(operational::usbsts, usbsts::halted::mask, 0, 100_ms));
  bool power_was_off = false;
  u32 super_speed = 0, supported = 0;
  for (u32 n = 1; n <= port_count_; ++n) {
    if (!ports_[n].supported()) continue;
    ++supported;
    if (ports_[n].is_super_speed()) ++super_speed;
    power_was_off |= !ports_[n].status().powered();
    ports_[n].power_on();
    ports_[n].history.look(false, now());  // it was not looked at before
  }
  if (power_was_off && has_port_power_) sleep_for(20_ms);
  const u32 version = registers_.read32(capability::length_version) >> 16;
  printk("xhci%u: version %x.%02x, %u ports of USB 3 and %u of USB 2\n", number_, version >> 8,
         version & 0xFF, super_speed, supported - super_speed);
  at_start_ = true;
  started_ = now();
  return {};
}

}  // namespace xhci
