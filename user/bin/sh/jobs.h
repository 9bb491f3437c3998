// Jobs: pipelines that run in the background or were stopped, and the group that owns the terminal.
//
// In an interactive shell every pipeline is a process group. The group in the foreground owns the
// terminal, so ^C reaches it and not the shell, and not what runs in the background.
#pragma once

#include <sys/types.h>
#include <text.h>
#include <vector.h>

// Takes the terminal for the shell and keeps its normal settings. At the start, once.
void jobs_begin();
// Ends the shell, and gives the terminal to the group that had it before, which may be a script's.
[[noreturn]] void exit_shell(int status);
// In a new child: joins the group (0: its own), takes the terminal when `foreground`, and stops
// ignoring the signals that the shell ignores.
void become_job_member(pid_t group, bool foreground);
// In the shell, for the same child.
void adopt_job_member(pid_t child, pid_t group);

// Waits until all have ended or one is stopped; the terminal comes back to the shell. Returns the
// status of the last.
int wait_foreground(pid_t group, const vector<pid_t>& members, std::string_view command);
void add_background(pid_t group, const vector<pid_t>& members, std::string_view command);

// Prints the jobs that ended since the last prompt.
void report_jobs();
// In a child of the shell: the jobs are not its own.
void forget_jobs();

// For `kill`, which is a program: %1 becomes the number of the job's process group, negative.
void name_groups(vector<text>& arguments);

// The built-in commands `jobs`, `fg`, `bg`, `wait`.
int jobs_command();
int resume_command(std::string_view which, bool foreground);
int wait_command(std::string_view which);
