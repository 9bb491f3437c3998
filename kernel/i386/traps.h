// Exceptions, interrupts and system calls, once traps.asm has saved the registers.
#pragma once

// Inside an interrupt handler: whether it was a program that was interrupted, not the kernel.
bool interrupted_user_mode();
