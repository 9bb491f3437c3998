; The simulated PC's stacks: what kernel/i386/traps.asm does with the real ones.

global switch_stacks, first_run_of_kernel_task, first_run_of_child, call_on_stack
extern run_kernel_task, begin_child

section .text

; void switch_stacks(void** save_to, void* other): as in traps.asm.
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

first_run_of_kernel_task:
  push dword 0
  jmp run_kernel_task

; The stack pointer points to the trap_frame.
first_run_of_child:
  push esp
  call begin_child

; void call_on_stack(void* top, void (*function)(void*), void* argument)
call_on_stack:
  push ebp
  mov ebp, esp
  mov eax, [ebp + 8]
  mov edx, [ebp + 12]
  mov ecx, [ebp + 16]
  mov esp, eax
  push ecx
  call edx
  mov esp, ebp
  pop ebp
  ret

section .note.GNU-stack noalloc noexec nowrite progbits
