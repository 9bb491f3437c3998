// Exceptions, interrupts and system calls, once traps.asm has saved the registers.
#pragma once

// Inside an interrupt handler: whether the interrupt came from user mode.
bool interrupted_user_mode();
