// The simulated PC's memory management unit: physical memory, and page tables that take effect.
//
// The test program is a program of 32 bits, linked above the kernel's direct map (tests/host.mk),
// so every address of the simulated machine is an address of the test program, too. Physical memory
// stands at KERNEL_BASE, as in the kernel. A page of a process is mapped at its own address at the
// first use that the page tables allow, and stays mapped until the kernel flushes it, like an entry
// of the processor's TLB. So a flush that the kernel forgets has the same effect as on the machine.
#pragma once

#include <functional>

#include "lib/types.h"

namespace pc::mmu {

// Physical memory of so many pages, filled with a pattern; no page of a process is mapped.
void power_on(u32 pages);

// Whether a program may use `address` so. Then its page is mapped.
bool use(u32 address, bool write);
// The error code of the page fault that a program's forbidden use raises (Intel SDM volume 3, 4.7).
u32 fault_code(u32 address, bool write);
// What faulting_address returns.
void set_faulting_address(u32 address);

// The processor reports a kernel that uses memory of a process which is not present, or not
// writable: on the machine this is a page fault inside the kernel.
void on_kernel_fault(void (*report)(u32 address, bool write));

// Whether every cached translation still says what the page tables say: the kernel has flushed what
// it has taken away. Of its own part, too.
bool tlb_is_true();
// The entry of each page of the process whose space is active.
void for_each_user_page(const std::function<void(u32 entry)>& action);
// Tables and pages of the process whose space is active.
u32 pages_of_active_space();
// The table entry of an address in the active space; 0 when there is none.
u32 entry_of(u32 address);

}  // namespace pc::mmu
