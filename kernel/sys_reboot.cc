// The system calls about the machine: its end, and the kernel's messages.
#include <algorithm>
#include <utility>

#include "fs/replug/power_off.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "hal/power.h"
#include "kernel/files.h"
#include "kernel/printk.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

namespace {

// How long processes may take to end after SIGTERM, and then after SIGKILL.
constexpr duration GRACE = 200_ms;

bool others_live() {
  for (const task_struct* t : task)
    if (t && t->space && t != current && t->pid != 1) return true;
  return false;
}

// Ends all processes, so that no file stays open: SIGTERM first, SIGKILL later. Process 1 is
// stopped before, because it would begin another shell. A process in an uninterruptible sleep,
// waiting for a stick that is away, is not waited for.
void end_other_processes() {
  if (current->pid != 1) force_signal(*find_process(1), abi::sigstop);
  for (const u32 signal : {abi::sigterm, abi::sigkill}) {
    signal_all(signal);
    const instant deadline = now() + GRACE;
    while (others_live() && now() < deadline) sleep_for(10_ms);
  }
  close_files(false);
  current->fs.pwd = current->fs.root.copy();
}

// The machine stays on although the programs were ended: process 1 is begun again, and runs
// /etc/rc.
void begin_session_again() {
  printk("Plug the stick in, or give up what waits with `poweroff -f`\n");
  if (current->pid == 1) return;
  task_struct& init = *find_process(1);
  send_signal(init, abi::sigcont);
  force_signal(init, abi::sigkill);
}

// Nothing that a program has written may be lost. With `force` the user gives up what waits for a
// stick. A refusal comes before any program is ended; only when a stick is pulled after that, or
// refuses the last blocks, is it a late one. Errors: ebusy, eintr: the machine stays on.
result<void> put_file_systems_away(bool force) {
  if (!force) TRY(checkpoint::ready_for_power_off());
  const u32 blocked = block_signals(~u32{0});
  end_other_processes();
  if (force) {
    checkpoint::give_up_and_unmount_all();
    return {};
  }
  const result<void> away = checkpoint::write_and_unmount_all();
  block_signals(blocked);
  if (!away) begin_session_again();
  return away;
}

}  // namespace

// The numbers are Linux's: two magic ones against accidents, and the command; `flags` is ours.
// Only process 1's descendants exist, all of them root, so that there are no rights to check.
result<void> sys_reboot(u32 magic1, u32 magic2, u32 command, u32 flags) {
  if (magic1 != abi::reboot_magic1 || magic2 != abi::reboot_magic2) return fail(error::einval);
  if (flags & ~abi::reboot_force) return fail(error::einval);
  const bool force = flags & abi::reboot_force;
  switch (command) {
    case abi::reboot_restart:
      TRY(put_file_systems_away(force));
      printk("Restarting.\n");
      restart();
    case abi::reboot_power_off:
      TRY(put_file_systems_away(force));
      printk("Power off.\n");
      power_off();
    case abi::reboot_halt:
      TRY(put_file_systems_away(force));
      printk("Halted: it is safe to turn the machine off.\n");
      halt();
    default: return fail(error::einval);
  }
}

namespace {
// The types of syslog that exist here, of Linux's many.
constexpr u32 SYSLOG_READ_ALL = 3, SYSLOG_SIZE = 10;
constexpr u32 LOG_SIZE = 32768;
}  // namespace

// The newest part of the kernel's messages; at most length - 1 bytes.
result<u32> sys_syslog(u32 type, user_ptr buffer, u32 length) {
  if (type == SYSLOG_SIZE) return LOG_SIZE;
  if (type != SYSLOG_READ_ALL || length == 0) return fail(error::einval);
  const std::span<byte> to = TRY(user_span(buffer, std::min(length, LOG_SIZE), true));
  text_sink out(std::span(reinterpret_cast<char*>(to.data()), to.size()));
  print_log(out);
  return static_cast<u32>(out.text().size());
}
