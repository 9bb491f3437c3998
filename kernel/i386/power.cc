#include "hal/power.h"

#include "drivers/pci/pci.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/port_io.h"
#include "lib/bits.h"

namespace {

// PM1a_CNT of ACPI (4.8.3.2.1), four ports above the base that the chipset's power management
// function is configured with.
constexpr io_port pm1_control_offset = 4;
using sleep_enable = field<13>;
using sleep_type = field<12, 10>;
constexpr u32 soft_off = 0;  // SLP_TYP of S5 in QEMU's PIIX4 and ICH9

struct chipset {
  u16 vendor_id, device_id;
  u8 base_register;
  u16 base_mask;
};
constexpr chipset chipsets[] = {
    {0x8086, 0x7113, 0x40, 0xFFC0},  // PIIX4: -M pc
    {0x8086, 0x2918, 0x40, 0xFF80},  // ICH9: -M q35
};

// Takes effect a moment later. False: the chipset is not a known one.
bool soft_power_off() {
  for (const pci_device& device : pci_devices()) {
    for (const chipset& known : chipsets) {
      if (device.vendor_id != known.vendor_id || device.device_id != known.device_id) continue;
      const u16 base = pci_read16(device, known.base_register) & known.base_mask;
      out16(static_cast<io_port>(base + pm1_control_offset),
            static_cast<u16>(sleep_type::of(soft_off) | sleep_enable::of(1)));
      return true;
    }
  }
  return false;
}

constexpr io_port keyboard_command = 0x64, reset_control = 0xCF9;
constexpr u8 pulse_reset_line = 0xFE, full_reset = 0x06;

// With no gate to go through, an interrupt becomes a triple fault, which resets every PC.
void triple_fault() {
  struct [[gnu::packed]] {
    u16 limit;
    u32 base;
  } const empty{0, 0};
  asm volatile("lidt %0; int3" : : "m"(empty));
}

}  // namespace

void power_off() {
  disable_interrupts();
  if (!soft_power_off()) printk("The power can be switched off now.\n");
  halt();
}

void restart() {
  disable_interrupts();
  out8(keyboard_command, pulse_reset_line);
  out8(reset_control, full_reset);
  triple_fault();
  halt();
}

void halt() {
  while (true) asm volatile("cli; hlt");
}
