; The kernel's first instructions, entered from a Multiboot 1 loader (GRUB, or QEMU's -kernel): 32-bit
; protected mode, paging off, interrupts off, EAX = the loader's magic, EBX = its information.
;
; They stand at their physical address, 1 MiB. They build the page directory that every address space
; copies its upper half from (mm/address_space.h has the map), switch paging on, and jump into the
; kernel proper, which is linked KERNEL_BASE higher. The book's head.s does the same for its 16 MiB.
; kernel/kernel.mk takes KERNEL_BASE from mm/layout.h.

DIRECT_MAP_TABLES    equ 480            ; 4 MiB each: 1920 MiB of physical memory from KERNEL_BASE on
BOOT_STACK_SIZE      equ 16384          ; KERNEL_STACK_SIZE; it becomes task 0's

MULTIBOOT_MAGIC      equ 0x1BADB002
MULTIBOOT_FLAGS      equ 0x00000003     ; modules page-aligned; tell us the memory
LOADER_MAGIC         equ 0x2BADB002

PRESENT_WRITABLE_4M  equ 0x83
CR4_PSE              equ 1 << 4
CR0_PG_WP            equ 1 << 31 | 1 << 16
CPUID_PSE            equ 1 << 3
CPUID_CMOV           equ 1 << 15        ; the compiler uses it (-march=i686)

global start, kernel_page_directory, boot_stack
extern main

section .boot progbits alloc exec nowrite align=4
  align 4
  dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

start:
  cld
  mov esp, boot_stack + BOOT_STACK_SIZE - KERNEL_BASE
  mov esi, no_multiboot
  cmp eax, LOADER_MAGIC
  jne refuse
  mov edi, ebx                          ; cpuid overwrites ebx
  mov eax, 1
  cpuid
  mov esi, old_processor
  and edx, CPUID_PSE | CPUID_CMOV
  cmp edx, CPUID_PSE | CPUID_CMOV
  jne refuse

  ; The direct map, and the first 4 MiB at their own addresses for the moment of the jump.
  mov ebx, kernel_page_directory - KERNEL_BASE
  mov eax, PRESENT_WRITABLE_4M
  mov [ebx], eax
  xor ecx, ecx
.next_table:
  mov [ebx + (KERNEL_BASE >> 22) * 4 + ecx * 4], eax
  add eax, 1 << 22
  inc ecx
  cmp ecx, DIRECT_MAP_TABLES
  jb .next_table

  mov eax, cr4
  or eax, CR4_PSE
  mov cr4, eax
  mov cr3, ebx
  mov eax, cr0
  or eax, CR0_PG_WP                     ; WP: copy-on-write holds for the kernel's own writes too
  mov cr0, eax
  mov eax, in_higher_half
  jmp eax

; Says why in ESI on the screen and on COM1, and stops.
refuse:
  mov edi, 0xB8000
  mov dx, 0x3F8
.next_character:
  lodsb
  test al, al
  jz .stop
  out dx, al
  mov ah, 0x0F
  stosw
  jmp .next_character
.stop:
  cli
  hlt
  jmp .stop

no_multiboot:   db "Replug must be started by a Multiboot 1 loader.", 13, 10, 0
old_processor:  db "Replug needs a Pentium Pro or newer: a processor with PSE and CMOV.", 13, 10, 0

section .text
in_higher_half:
  mov esp, boot_stack + BOOT_STACK_SIZE
  mov dword [kernel_page_directory], 0  ; address 0 is not mapped any more
  mov eax, cr3
  mov cr3, eax
  xor ebp, ebp                          ; backtraces end here
  push edi                              ; the loader's information, a physical address
  call main
.stop:
  hlt
  jmp .stop

section .bss
alignb 4096
kernel_page_directory: resb 4096
boot_stack_guard:      resb 4096        ; kernel/i386/kernel_map.cc takes it away
boot_stack:            resb BOOT_STACK_SIZE
