// Process 1 on its way from the kernel to user mode: see init.h.
#include "kernel/init.h"

#include <algorithm>

#include "drivers/block/genhd.h"
#include "drivers/usb/usb_init.h"
#include "fs/fs.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "kernel/exec.h"
#include "kernel/options.h"
#include "kernel/out_of_memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/user_mode.h"

namespace {

constexpr i32 PROCESS_PRIORITY = 15;  // its children inherit it
constexpr duration LONGEST_PAUSE = 64_s;

// Tries the programs that process 1 may run, and leaves the kernel for the first that can be run.
void try_programs() {
  for (const std::string_view path :
       {boot_option("init").value_or(""), std::string_view("/sbin/init"),
        std::string_view("/bin/sh")}) {
    if (path.empty()) continue;
    const result<program_start> begin = with_memory([&] { return exec_init(path); });
    if (begin) enter_user_mode(*begin);
    printk("init: %.*s cannot be run (error %d)\n", static_cast<int>(path.size()), path.data(),
           to_errno(begin.error()));
  }
}

// A root disk without a program is no bug of the kernel: the kernel goes on without any program. It
// tries again with growing pauses, for the reason may pass: an error of the disk, or no room for
// another inode.
[[noreturn]] void run_program() {
  for (duration pause = 1_s;; pause = std::min(pause + pause, LONGEST_PAUSE)) {
    try_programs();
    printk("There is no program to run.\n");
    sleep_for(pause);
  }
}

void mount_root_disk() {
  result<fs_context> root = mount_root(dev_id(MAJOR_RAM, 0));
  if (!root) panic("the root disk cannot be mounted (error %d)", to_errno(root.error()));
  current->fs = std::move(*root);
}

}  // namespace

void init(void*) {
  kassert(current->pid == 1);
  current->priority = PROCESS_PRIORITY;
  lead_session();
  mount_root_disk();
  usb_init();
  run_program();
}

void restart_init(u32 exit_code) {
  printk("Process 1 has ended (status %x); it is begun again.\n", exit_code);
  fs_context context = current->fs.copy();
  context.pwd = context.root.copy();
  give_everything_back();
  current->fs = std::move(context);
  begin_with_default_signals();
  sleep_for(1_s);
  run_program();
}
