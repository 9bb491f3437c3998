// Where boot/head.asm arrives. Every room is made ready, in the order in which they need each
// other; then this, as task 0, becomes the idle task.
#include "drivers/char/console.h"
#include "drivers/pci/pci.h"
#include "hal/log.h"
#include "hal/memory.h"
#include "kernel/i386/machine.h"
#include "kernel/sched.h"

extern "C" [[noreturn]] void main(u32 multiboot_information) {
  console_init();
  machine_init(multiboot_information);
  sched_init();
  pci_init();
  printk("Replug: %u KiB of memory, %zu PCI devices\n", total_page_count() * (PAGE_SIZE / 1024),
         pci_devices().size());
  idle();
}
