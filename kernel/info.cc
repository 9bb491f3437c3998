// The kernel's own info files: see info.h. A line is a record, blanks separate its fields.
#include "kernel/info.h"

#include <algorithm>

#include "drivers/block/block_device.h"
#include "drivers/char/info_device.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/region.h"
#include "fs/fs.h"
#include "fs/inode_table.h"
#include "hal/memory.h"
#include "kernel/printk.h"
#include "kernel/sched.h"

namespace {

char letter_of(const task_struct& t) {
  switch (t.state) {
    case task_state::running: return 'R';
    case task_state::interruptible: return 'S';
    case task_state::uninterruptible: return 'D';
    case task_state::zombie: return 'Z';
    case task_state::stopped: return 'T';
    case task_state::unused: break;
  }
  return '?';
}

// /dev/tasks: pid, father, state, ticks used, name.
void print_tasks(text_sink& out) {
  for (const task_struct* t : task) {
    if (!t || t->pid == 0) continue;
    out.print("%d %d %c %u %s\n", t->pid, t->father ? t->father->pid : 0, letter_of(*t),
              t->user_ticks + t->system_ticks, t->comm.data());
  }
}

// /dev/memory: name and number.
void print_memory(text_sink& out) {
  constexpr u32 kib_per_page = PAGE_SIZE / 1024;
  const buffer_counts buffers = count_buffers();
  out.print("total_kib %u\n", total_page_count() * kib_per_page);
  out.print("free_kib %u\n", free_page_count() * kib_per_page);
  out.print("buffers %u\n", buffers.total);
  out.print("buffers_clean %u\n", buffers.clean);
  out.print("buffers_dirty %u\n", buffers.dirty);
  out.print("buffers_in_use %u\n", buffers.in_use);
}

u32 count_tasks(bool (*wanted)(const task_struct& t)) {
  return static_cast<u32>(
      std::ranges::count_if(task, [&](const task_struct* t) { return t && wanted(*t); }));
}

// /dev/counts: what is in use now. At a prompt, with nothing running behind it, all of it is as it
// was at the prompt before: what is more was left behind.
void print_counts(text_sink& out) {
  const buffer_counts buffers = count_buffers();
  out.print("tasks %u\n", count_tasks([](const task_struct&) { return true; }));
  out.print("zombies %u\n",
            count_tasks([](const task_struct& t) { return t.state == task_state::zombie; }));
  out.print("pages_free %u\n", free_page_count());
  out.print("files %u\n", files_in_use());
  out.print("inodes %u\n", inodes_in_use());
  out.print("buffers %u\n", buffers.in_use);
  out.print("buffers_locked %u\n", buffers.locked);
  out.print("requests %u\n", requests_in_use());
  out.print("slots %u\n", checkpoint::slots_in_use());
  out.print("slots_promised %u\n",
            checkpoint::region_size() - checkpoint::slots_in_use() - checkpoint::unreserved());
}

}  // namespace

void kernel_info_init() {
  register_info(abi::info_file::tasks, print_tasks);
  register_info(abi::info_file::memory, print_memory);
  register_info(abi::info_file::kmsg, print_log);
  register_info(abi::info_file::counts, print_counts);
  register_info(abi::info_file::files, print_files);
}
