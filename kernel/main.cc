// main: the kernel's beginning (the book's main.c), and the one place that knows every room.
//
// One call makes each room ready; a room comes after the rooms that it needs. A lower room that
// must tell something to a higher one gets the function for it here. Nothing in main may sleep:
// what sleeps is done by process 1 (init.cc).
#include "drivers/block/ramdisk.h"
#include "drivers/char/console.h"
#include "drivers/char/info_device.h"
#include "drivers/char/mem.h"
#include "drivers/char/tty.h"
#include "drivers/pci/pci.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/region.h"
#include "fs/fs.h"
#include "fs/replug/info_files.h"
#include "fs/replug/replugd.h"
#include "hal/log.h"
#include "hal/machine.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "kernel/info.h"
#include "kernel/init.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"

// boot/root_image.asm
extern "C" {
extern byte root_image_start[];
extern byte root_image_end[];
}

namespace {

void char_devices_init() {
  tty_init({.current_group = [] { return current->pgrp; },
            .current_session = [] { return current->session; },
            .accepts = accepts_signal,
            .in_session = group_in_session,
            .is_orphaned = is_orphaned,
            .signal = [](int group, u32 signal) { signal_group(group, signal); }});
  mem_device_init();
  info_init();
  kernel_info_init();
}

// hold= and io_wait= are seconds, slots= is the number of blocks that the region can hold.
void checkpoint_init() {
  checkpoint::settings& settings = checkpoint::current_settings();
  if (const auto hold = boot_option_number("hold")) settings.hold = seconds(*hold);
  if (const auto wait = boot_option_number("io_wait")) settings.io_wait = seconds(*wait);
  checkpoint::init(boot_option_number("slots").value_or(0));
  if (settings.hold > duration{})
    printk("Up to %u blocks are kept in memory for a stick that is pulled: a reboot loses them\n",
           checkpoint::region_size());
}

void root_disk_init() { rd_init({root_image_start, root_image_end}); }

// Process 1's task is made first, for its number; it runs when main has become the idle task.
void make_process_1() {
  if (!kernel_task("init", init, nullptr)) panic("no memory for process 1");
}

}  // namespace

extern "C" [[noreturn]] void main(u32 multiboot_information) {
  console_init();
  machine_init(multiboot_information);
  sched_init();
  make_process_1();
  char_devices_init();
  pci_init();
  printk("Replug: %u KiB of memory, %zu PCI devices\n", total_page_count() * (PAGE_SIZE / 1024),
         pci_devices().size());
  root_disk_init();
  buffer_init(boot_option_number("buffers").value_or(0),
              find_buffer_policy(boot_option("policy").value_or("")));
  checkpoint_init();
  fs_init();
  replugd_init();
  checkpoint::info_files_init();
  idle();
}
