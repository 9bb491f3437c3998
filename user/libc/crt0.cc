// Where a program starts. The kernel leaves on the stack: argc, the arguments, a null, the
// environment, a null.
#include <stdlib.h>
#include <unistd.h>

// A program's main may have parameters or none: it may ignore them.
int main(int argc, char** argv);

char** environ;

extern "C" [[noreturn]] void start_program(int* stack) {
  const int argc = stack[0];
  char** argv = reinterpret_cast<char**>(stack + 1);
  environ = argv + argc + 1;
  exit(main(argc, argv));
}

// ebp = 0 ends every backtrace here; the call is aligned as the ABI wants it.
asm(R"(
  .section .text._start, "ax"
  .globl _start
  .type _start, @function
_start:
  xor %ebp, %ebp
  mov %esp, %eax
  and $-16, %esp
  sub $12, %esp
  push %eax
  call start_program
  .size _start, . - _start
  .previous
)");
