// Programs that do something forbidden: each is killed by its signal, and the kernel goes on.
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include <initializer_list>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

volatile int zero = 0;
volatile char* volatile const null_pointer = nullptr;
volatile char* volatile const kernel_pointer = reinterpret_cast<char*>(0x80100000);

int overflow_stack(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return depth < 1 << 30 ? overflow_stack(depth + 1) + room[0] : 0;
}

void jump_to(uint32_t address) { reinterpret_cast<void (*)()>(address)(); }

struct crime {
  const char* name;
  int signal;
  void (*commit)();
};

const crime CRIMES[] = {
    {"reading through null", SIGSEGV, [] { (void)null_pointer[0]; }},
    {"writing through null", SIGSEGV, [] { null_pointer[0] = 1; }},
    {"reading the kernel", SIGSEGV, [] { (void)kernel_pointer[0]; }},
    {"writing the kernel", SIGSEGV, [] { kernel_pointer[0] = 1; }},
    {"writing its own code", SIGSEGV, [] { *reinterpret_cast<volatile char*>(0x00400010) = 1; }},
    {"jumping to null", SIGSEGV, [] { jump_to(0); }},
    {"jumping into the kernel", SIGSEGV, [] { jump_to(0x80100000); }},
    {"jumping to the end of memory", SIGSEGV, [] { jump_to(0xFFFFFFFF); }},
    {"overflowing its stack", SIGSEGV, [] { overflow_stack(0); }},
    {"dividing by zero", SIGFPE, [] { asm volatile("idivl %2"
                                                   :
                                                   : "a"(1), "d"(0), "r"(zero)); }},
    {"dividing too much", SIGFPE,
     [] {
       asm volatile("idivl %2" : : "a"(0x80000000), "d"(-1), "r"(-1));
     }},
    {"an invalid instruction", SIGILL, [] { asm volatile("ud2"); }},
    {"the floating point unit", SIGILL, [] { asm volatile("fldz"); }},
    {"a breakpoint", SIGTRAP, [] { asm volatile("int3"); }},
    {"single step", SIGTRAP, [] { asm volatile("pushf; orl $0x100, (%esp); popf; nop; nop"); }},
    {"hlt", SIGSEGV, [] { asm volatile("hlt"); }},
    {"cli", SIGSEGV, [] { asm volatile("cli"); }},
    {"in", SIGSEGV, [] { asm volatile("inb $0x64, %%al"
                                      :
                                      :
                                      : "eax"); }},
    {"out", SIGSEGV, [] { asm volatile("outb %%al, $0x64"
                                       :
                                       : "a"(0xFE)); }},
    {"moving to cr3", SIGSEGV, [] { asm volatile("mov %0, %%cr3"
                                                 :
                                                 : "r"(0)); }},
    {"lgdt", SIGSEGV, [] { asm volatile("lgdt (%0)"
                                        :
                                        : "r"(0x00400000)); }},
    {"the page fault's gate", SIGSEGV, [] { asm volatile("int $14"); }},
    {"the timer's gate", SIGSEGV, [] { asm volatile("int $32"); }},
    {"a gate that is not there", SIGSEGV, [] { asm volatile("int $0xF0"); }},
    {"the kernel's segment", SIGSEGV, [] { asm volatile("mov %0, %%ds"
                                                        :
                                                        : "r"(0x10)); }},
    {"a far jump to the kernel", SIGSEGV, [] { asm volatile("ljmp $0x08, $0x80100000"); }},
    {"a stack in the kernel", SIGSEGV, [] { asm volatile("mov $0x80200000, %esp; push %eax"); }},
    {"a stack nowhere", SIGSEGV, [] { asm volatile("xor %esp, %esp; push %eax"); }},
    {"far below its stack", SIGSEGV, [] { *reinterpret_cast<volatile char*>(0x60000000) = 1; }},
};

// Unusual register values at a system call: they are allowed, and the kernel must not trust them.
int odd_system_calls() {
  const int pid = getpid();
  int seen;
  asm volatile("std; int $0x80; cld" : "=a"(seen) : "a"(20) : "memory", "cc");
  if (seen != pid) return 1;
  asm volatile(
      "push %%ds; push %%es; xor %%ecx, %%ecx; mov %%ecx, %%ds; mov %%ecx, %%es;"
      "int $0x80; pop %%es; pop %%ds"
      : "=a"(seen)
      : "a"(20)
      : "ecx", "memory", "cc");
  if (seen != pid) return 2;
  asm volatile("mov %%esp, %%ecx; mov $0x80001000, %%esp; int $0x80; mov %%ecx, %%esp"
               : "=a"(seen)
               : "a"(20)
               : "ecx", "memory", "cc");
  if (seen != pid) return 3;
  for (const int flags : {0x3000, 0x4000, 0x40000, 0x20000}) {  // IOPL, NT, AC, VM
    asm volatile("pushf; or %2, (%%esp); popf; int $0x80; push $2; popf"
                 : "=a"(seen)
                 : "a"(20), "r"(flags)
                 : "memory", "cc");
    if (seen != pid) return 4;
  }
  return 0;
}

int unknown_system_calls() {
  for (const long number : {0l, 17l, 400l, 0x7FFFFFFFl, -1l, -4096l})
    if (raw_system_call(static_cast<abi::syscall>(number)) != -ENOSYS) return 1;
  return 0;
}

// A program of random bytes: a fault or its alarm ends it.
int run_noise(uint32_t seed) {
  static uint8_t noise[4096];
  for (uint8_t& b : noise) {
    seed = seed * 1664525 + 1013904223;
    b = static_cast<uint8_t>(seed >> 24);
  }
  for (int fd = 0; fd < 3; ++fd) close(fd);
  alarm(1);
  jump_to(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(noise)));
  return 0;
}

}  // namespace

int main() {
  for (const crime& c : CRIMES) {
    const int status = status_of_child([&] {
      c.commit();
      return 0;
    });
    check_equal(c.name, signal_of(status), c.signal);
  }
  check_equal("odd system calls are served", status_of_child([] { return odd_system_calls(); }), 0);
  check_equal("unknown system calls", unknown_system_calls(), 0);

  // Ignoring or blocking the signal does not help.
  check_equal("an ignored fault kills", signal_of(status_of_child([] {
                signal(SIGSEGV, SIG_IGN);
                null_pointer[0] = 1;
                return 0;
              })),
              SIGSEGV);
  for (uint32_t seed = 1; seed <= 16; ++seed)
    (void)status_of_child([=] { return run_noise(seed); });
  check("programs of noise", true);
  finish_checks();
}
