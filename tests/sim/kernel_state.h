// The kernel's variables: a reboot gives them their first values again.
//
// The linker script kernel_state.ld puts the data and bss of every product object into one piece of
// the test program. It is copied before main and copied back by each new world, so the product
// needs no code to reset itself.
#pragma once

namespace sim {

void restore_kernel_state();

}  // namespace sim
