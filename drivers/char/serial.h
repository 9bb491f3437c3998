// COM1, a 16550A: 115200 baud, 8 data bits, no parity. Output goes into a queue, which the
// interrupt handler empties as the line takes characters. A caller waits only when the queue is
// full.
#pragma once

#include <span>

void serial_init();
// Never sleeps.
void serial_write(std::span<const char> text);
// Whether the queue has room for some thousand characters, or the line is stuck. Never sleeps.
bool serial_has_room();
// Sleeps until the queue has room for some thousand characters, or the line is stuck. False: a
// signal came first.
bool serial_wait_for_room();
// From now on text is sent by polling, for interrupts are off.
void serial_panic();
void set_serial_input(void (*receive)(char));
