// The manners of the programs that end the session: poweroff, reboot.
#pragma once

// Takes the option -f and asks the kernel for the end. Returns the status to exit with, for the
// kernel may refuse: blocks wait for a stick that is away, or that cannot be written.
int end_session(int argc, char** argv, const char* usage, unsigned command);
