// Runs what the parser built.
#pragma once

#include "user/bin/sh/syntax.h"

// Returns the status, which is also in shell.status.
int run(node& command);
// Reads and runs commands until the source ends. Returns the last status.
int run_all(source& from);
// $(command): what it wrote, without the newlines at the end.
text command_output(std::string_view command);
// Replaces the shell by a program; returns when that fails, with the status to exit with.
int become_program(const vector<text>& arguments);

// `break` and `continue`, so many loops; executed by the loops.
void leave_loops(int count, bool and_continue);
bool in_loop();
