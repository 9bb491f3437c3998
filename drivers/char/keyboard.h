// The PS/2 keyboard, US layout: keys become the characters and escape sequences of a VT102.
#pragma once

// Hands every character to `receive`, from the interrupt handler.
void set_keyboard_input(void (*receive)(char));
