// The system calls about the machine: its end, and what the kernel has said.
#include <algorithm>

#include "fs/fs.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "kernel/files.h"
#include "kernel/i386/power.h"
#include "kernel/printk.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {

// How long processes have to end by themselves, and then to be ended.
constexpr duration GRACE = 200_ms;

bool others_live() {
  for (const task_struct* t : task)
    if (t && t->space && t != current && t->pid != 1) return true;
  return false;
}

// So that no file stays open: everybody is asked to end, then made to. Process 1 rests meanwhile,
// lest it begin another shell. Who waits for a stick that is away is not waited for.
void end_other_processes() {
  current->blocked = ~u32{0};
  if (current->pid != 1) force_signal(*find_process(1), abi::sigstop);
  for (const u32 signal : {abi::sigterm, abi::sigkill}) {
    signal_all(signal);
    const instant deadline = now() + GRACE;
    while (others_live() && now() < deadline) sleep_for(10_ms);
  }
  close_files(false);
  current->fs.pwd = current->fs.root.copy();
}

// Everything that a stick can still be told, it is told; what cannot be written is said on the
// console and does not hold the machine up.
void put_file_systems_away() {
  end_other_processes();
  if (!sys_sync_all()) printk("Some blocks could not be written.\n");
  umount_all();
}

}  // namespace

// The numbers are Linux's: two magic ones against accidents, and the command. Only process 1's
// descendants exist, all of them root, so nobody is refused.
result<void> sys_reboot(u32 magic1, u32 magic2, u32 command, u32) {
  if (magic1 != abi::reboot_magic1 || magic2 != abi::reboot_magic2) return fail(error::einval);
  switch (command) {
    case abi::reboot_restart:
      put_file_systems_away();
      printk("Restarting.\n");
      restart();
    case abi::reboot_power_off:
      put_file_systems_away();
      printk("Power off.\n");
      power_off();
    case abi::reboot_halt:
      put_file_systems_away();
      printk("Halted: it is safe to turn the machine off.\n");
      halt();
    default: return fail(error::einval);
  }
}

namespace {
// What syslog can be asked for, of Linux's many.
constexpr u32 SYSLOG_READ_ALL = 3, SYSLOG_SIZE = 10;
constexpr u32 LOG_SIZE = 32768;
}  // namespace

// The newest part of the kernel's messages; at most length - 1 bytes.
result<u32> sys_syslog(u32 type, u32 buffer, u32 length) {
  if (type == SYSLOG_SIZE) return LOG_SIZE;
  if (type != SYSLOG_READ_ALL || length == 0) return fail(error::einval);
  const std::span<byte> to = TRY(user_span(buffer, std::min(length, LOG_SIZE), true));
  text_sink out(std::span(reinterpret_cast<char*>(to.data()), to.size()));
  print_log(out);
  return static_cast<u32>(out.text().size());
}
