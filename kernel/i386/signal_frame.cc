// Building and undoing the stack frame of a signal handler: see kernel/signal_frame.h.
#include "kernel/signal_frame.h"

#include "kernel/i386/trap_frame.h"
#include "kernel/out_of_memory.h"
#include "kernel/user_memory.h"

namespace {

// The registers that sigreturn restores. The segment registers are the same in all programs.
struct saved_registers {
  u32 edi, esi, ebp, ebx, edx, ecx, eax, eip, eflags, esp;
};

struct signal_frame {
  u32 return_address;
  u32 signal;             // the handler's argument
  saved_registers saved;  // sigreturn finds esp here: the return address and the signal are popped
  u32 blocked;
  std::array<u8, 8> trampoline;
};
constexpr u32 SAVED_OFFSET = offsetof(signal_frame, saved);
static_assert(SAVED_OFFSET == 8);

// pop eax; mov eax, 119; int 0x80
constexpr std::array<u8, 8> TRAMPOLINE = {0x58, 0xB8, 119, 0, 0, 0, 0xCD, 0x80};
static_assert(static_cast<u32>(abi::syscall::sigreturn) == 119);

// The flags that a program may choose for itself: arithmetic, direction, single step. Not the
// interrupt flag and not the I/O privilege.
constexpr u32 USER_FLAGS = 0x0DD5;
constexpr u32 DIRECTION_AND_TRAP = 0x0500;

saved_registers save(const trap_frame& r) {
  return {r.edi, r.esi, r.ebp, r.ebx, r.edx, r.ecx, r.eax, r.eip, r.eflags, r.esp};
}

void restore(trap_frame& r, const saved_registers& s) {
  r.edi = s.edi;
  r.esi = s.esi;
  r.ebp = s.ebp;
  r.ebx = s.ebx;
  r.edx = s.edx;
  r.ecx = s.ecx;
  r.eax = s.eax;
  r.eip = s.eip;
  r.esp = s.esp;
  r.eflags = (r.eflags & ~USER_FLAGS) | (s.eflags & USER_FLAGS);
}

}  // namespace

result<void> push_signal_frame(trap_frame& registers, u32 signal, const abi::sigaction& action,
                               u32 blocked) {
  // At the handler's entry esp + 4 is a multiple of 16, as after a call (System V i386 ABI).
  const u32 at = ((registers.esp - sizeof(signal_frame)) & ~u32{15}) - sizeof(u32);
  const bool own_restorer = action.flags & abi::sa_restorer && action.restorer;
  const signal_frame frame{.return_address = own_restorer
                                                 ? action.restorer
                                                 : at + u32{offsetof(signal_frame, trampoline)},
                           .signal = signal,
                           .saved = save(registers),
                           .blocked = blocked,
                           .trampoline = TRAMPOLINE};
  TRY(with_memory([&] { return put_user(user_ptr(at), frame); }));
  registers.esp = at;
  registers.eip = action.handler;
  registers.eflags &= ~DIRECTION_AND_TRAP;
  return {};
}

result<u32> pop_signal_frame(trap_frame& registers) {
  const signal_frame frame = TRY(get_user<signal_frame>(user_ptr(registers.esp - SAVED_OFFSET)));
  restore(registers, frame.saved);
  return frame.blocked;
}
