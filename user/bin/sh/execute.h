// Runs what the parser built.
#pragma once

#include "user/bin/sh/syntax.h"

// Returns the status, which is also in shell.status.
int run(node& command);
// Reads and runs commands until the source ends, has an error, or ^C. Returns the last status.
int run_all(source& from);
// The same for a terminal, where errors and ^C end only the command.
int run_interactively(source& from);

// execute.cc: simple commands.
// In a child the program replaces the shell.
int run_simple(node& command, bool in_child);
// In a child. The assignments before the program's name are for it alone.
[[noreturn]] void exec_program(node& command, vector<text>& arguments, size_t assignments);
// Replaces the shell by a program; returns when that fails, with the status to exit with.
int become_program(const vector<text>& arguments);

// pipeline.cc: in processes of their own.
int run_program(node& command, vector<text>& arguments, size_t assignments);
int run_pipeline(node& pipes);
int run_background(node& command);
int run_subshell(node& command);
// $(command): what it wrote, without the newlines at the end.
text command_output(std::string_view command);

// compound.cc: if, while, until, for, case; and the braces.
int run_compound(node& command);
// set -e does not apply in there.
int run_condition(node& condition);
bool in_condition();
// `break` and `continue`, so many loops; executed by the loops.
void leave_loops(int count, bool and_continue);
bool in_loop();
// Whether what follows in a list is skipped: by break, continue or ^C.
bool leaving();
