// What an exception, an interrupt or a system call leaves on the kernel stack (traps.asm pushes
// it).
#pragma once

#include "lib/types.h"

constexpr u32 interrupt_flag = 1 << 9;  // in eflags: interrupts are enabled

struct trap_frame {
  u32 gs, fs, es, ds;
  u32 edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;  // pusha
  u32 vector, error_code;
  u32 eip, cs, eflags;
  u32 esp, ss;  // only when it came from user mode

  static constexpr u32 no_vector = 0x100;  // panic() was called
  static constexpr u32 virtual_8086_flag = 1 << 17;
  bool virtual_8086() const { return (eflags & virtual_8086_flag) != 0; }
  bool from_user() const { return (cs & 3) == 3 || virtual_8086(); }
};
