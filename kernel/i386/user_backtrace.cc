// The backtrace of a program that a fault ends. Its stack and its file are not trusted.
#include "hal/log.h"
#include "kernel/i386/backtrace.h"
#include "kernel/program_symbols.h"
#include "kernel/sched.h"
#include "kernel/user_memory.h"

namespace {

constexpr int MAX_FRAMES = 16;

// `offset_back`: a return address may stand behind its function's end, when that never returns.
void print_address(u32 address, u32 offset_back) {
  m_inode* program = current->executable.get();
  const auto found = program ? find_program_symbol(*program, address - offset_back)
                             : result<program_symbol>(fail(error::enoent));
  if (found)
    printk("  %08x %s+0x%x\n", address, found->name.data(), found->offset + offset_back);
  else
    printk("  %08x\n", address);
}

}  // namespace

void print_user_backtrace(const trap_frame& registers) {
  if (!current->space) return;
  print_address(registers.eip, 0);
  u32 at = registers.ebp;
  for (int i = 0; i < MAX_FRAMES; ++i) {
    const auto frame = get_user<stack_frame>(user_ptr(at));
    if (!frame || frame->return_address == 0) return;
    print_address(frame->return_address, 1);
    if (frame->caller_frame <= at) return;  // callers stand higher
    at = frame->caller_frame;
  }
}
