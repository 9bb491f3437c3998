// Ending the machine. Everything that must be saved has been saved before.
#pragma once

// Switches the power off by ACPI (state S5). Should the chipset be unknown, stops the processor.
[[noreturn]] void power_off();
// Resets the machine: keyboard controller, reset port, at last a triple fault.
[[noreturn]] void restart();
// Stops the processor.
[[noreturn]] void halt();
