// The console. It has two terminals that show the same text and that both take input: the VGA text
// screen with the PS/2 keyboard, and the serial line COM1. The line discipline (tty) is built on
// it.
#pragma once

#include <span>

// Makes both terminals usable for output. The first thing that boot does.
void console_init();
// Shows text on both terminals; LF starts a new line. Understands CR, BS, HT, BEL and a subset of
// the VT102's escape sequences. Never sleeps; callable from interrupt handlers.
void console_write(std::span<const char> text);
// The same, but nothing is changed: LF moves to the next line and stays in its column.
void console_write_unchanged(std::span<const char> text);
// Whether the last character written ended a line.
bool console_at_line_start();

// Whether little text waits for the serial line. Never sleeps.
bool console_has_room();
// For a task that writes much: sleeps while much text still waits for the serial line, but not for
// ever. False: a signal came first.
bool wait_for_console();

// For panic(): shows all that has been written, without interrupts.
void console_panic();

// Turns keyboard and serial input on: every character typed is handed to `receive`, from the
// interrupt handler. Arrow keys and their like arrive as the VT102's escape sequences.
void set_console_input(void (*receive)(char));
