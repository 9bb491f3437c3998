; Where the kernel is entered and left: exceptions, interrupts and system calls (the book's asm.s and
; system_call.s). Every entry builds the same trap_frame (trap_frame.h) and calls handle_trap.

KERNEL_DATA equ 0x10
NO_VECTOR   equ 0x100                   ; trap_frame.h

global trap_entries, system_call_entry, switch_stacks, first_run_of_kernel_task, first_run_of_child
global load_user_registers, _Z5panicPKcz
extern handle_trap, finish_trap, run_kernel_task, panic_at

section .text

; The processor pushes an error code for some exceptions; for the others a 0 takes its place.
%macro entry 1
entry_%1:
  %if %1 != 8 && (%1 < 10 || %1 > 14) && %1 != 17 && %1 != 21
  push dword 0
  %endif
  push dword %1
  jmp enter_kernel
%endmacro

%assign vector 0
%rep 48
  entry vector
  %assign vector vector + 1
%endrep

system_call_entry:
  push dword 0
  push dword 0x80

enter_kernel:
  pusha
  push ds
  push es
  push fs
  push gs
  mov ax, KERNEL_DATA
  mov ds, ax
  mov es, ax
  cld
  test byte [esp + 15 * 4], 3           ; cs: did this come from user mode?
  jz .from_kernel
  xor ebp, ebp                          ; then backtraces of the kernel end here
.from_kernel:
  push esp
  call handle_trap
  add esp, 4

leave_kernel:
  pop gs
  pop fs
  pop es
  pop ds
  popa
  add esp, 8                            ; vector, error code
  iret

; void load_user_registers(trap_frame* registers): the frame stands on the kernel stack.
load_user_registers:
  cli
  mov esp, [esp + 4]
  jmp leave_kernel

; void switch_stacks(void** save_to, void* other): what a C++ function expects to survive a call is
; kept on the stack; everything else is.
switch_stacks:
  mov eax, [esp + 4]
  mov edx, [esp + 8]
  push ebp
  push ebx
  push esi
  push edi
  mov [eax], esp
  mov esp, edx
  pop edi
  pop esi
  pop ebx
  pop ebp
  ret

; Where switch_stacks returns to when a task runs for the first time (task_switch.cc made the stack).
first_run_of_kernel_task:
  push dword 0                          ; backtraces end here
  jmp run_kernel_task

first_run_of_child:
  push esp                              ; the trap_frame
  call finish_trap
  add esp, 4
  jmp leave_kernel

; void panic(const char* format, ...), under the name that C++ gives it: keeps the registers as its
; caller has them, in the form of a trap, for panic.cc to show.
_Z5panicPKcz:
  pushf
  cli
  push cs
  push dword [esp + 8]                  ; eip: where panic was called
  push dword 0
  push dword NO_VECTOR
  pusha
  push ds
  push es
  push fs
  push gs
  mov eax, esp
  lea edx, [esp + 18 * 4]               ; the format, behind the frame, eflags and the return address
  lea ecx, [edx + 4]                    ; the arguments for it
  push ecx
  push dword [edx]
  push eax
  call panic_at

section .rodata
trap_entries:
%assign vector 0
%rep 48
  dd entry_%+vector
  %assign vector vector + 1
%endrep
