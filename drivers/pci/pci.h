// PCI: the devices on the machine's buses, and how a driver gets access to one.
//
//   for (const pci_device& found : pci_devices())
//     if (found.class_code == pci_class::xhci) { … }
//   mmio_window registers = TRY(pci_map_bar(found, 0));
//   pci_enable(found);
//   TRY(request_irq(found.interrupt_line, true, handler, argument));
//   pci_enable_interrupt(found);
//
// pci_init() walks all buses once, at boot: PCI devices do not come and go here; USB sticks do,
// behind a USB controller that stays. No device raises its interrupt line before its driver has a
// handler for it: the line may be another device's, too. Register names follow the PCI Local Bus
// Specification 3.0, chapter 6.
#pragma once

#include <span>

#include "hal/mmio.h"
#include "lib/ids.h"
#include "lib/result.h"
#include "lib/types.h"

// Base class, subclass and programming interface in one number.
namespace pci_class {
constexpr u32 xhci = 0x0C0330;
constexpr u32 pci_bridge = 0x060400;
}  // namespace pci_class

struct pci_device {
  u8 bus = 0, device = 0, function = 0;
  u16 vendor_id = 0, device_id = 0;
  u32 class_code = 0;
  u8 interrupt_line = 0xFF;  // at the 8259s, as the firmware has routed it; 0xFF: none
};

// A region of device registers as its base address register describes it.
struct pci_bar {
  phys_addr address{};
  u64 size = 0;
};

// Finds every device on every bus, and keeps each from raising its interrupt line. Never sleeps.
void pci_init();
std::span<const pci_device> pci_devices();

// Configuration space. `offset` is a multiple of the width, below 256.
u8 pci_read8(const pci_device& at, u8 offset);
u16 pci_read16(const pci_device& at, u8 offset);
u32 pci_read32(const pci_device& at, u8 offset);
void pci_write16(const pci_device& at, u8 offset, u16 value);
void pci_write32(const pci_device& at, u8 offset, u32 value);

// The memory region behind base address register `index` (0 to 5). Sizing it switches the device's
// decoding off for a moment. Errors: enodev when the register is empty or one of I/O ports.
result<pci_bar> pci_bar_region(const pci_device& at, u8 index);
// The same, mapped. Errors: as above, and those of map_mmio.
result<mmio_window> pci_map_bar(const pci_device& at, u8 index);
// Lets the device answer at its memory regions and read and write memory by itself.
void pci_enable(const pci_device& at);
// Lets the device raise its interrupt line (6.2.2). Its handler must have been registered.
void pci_enable_interrupt(const pci_device& at);
// From now on the device neither reads nor writes memory by itself, nor raises its interrupt line.
void pci_cut_off(const pci_device& at);
