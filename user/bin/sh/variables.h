// The shell's variables, its arguments ($1 …) and the small numbers ($? $$ $!).
#pragma once

#include <text.h>
#include <vector.h>

namespace variables {

// All variables of the environment, exported.
void import_environment();
const char* get(std::string_view name);  // null: not set
void set(std::string_view name, std::string_view value);
void unset(std::string_view name);
void mark_exported(std::string_view name);
// In the child, before exec: fills the environment.
void export_all();
// Prints them in a form that the shell reads.
void print(bool exported_only);

bool is_name(std::string_view word);
// The length of NAME in NAME=value; 0: no assignment.
size_t assignment_length(std::string_view word);

}  // namespace variables

// What belongs to one run of the shell.
struct shell_state {
  bool interactive = false;
  bool stop_at_error = false;         // set -e
  bool trace = false;                 // set -x
  int status = 0;                     // $?
  int background = 0;                 // $!
  int shell_pid = 0;                  // $$
  text script_name;                   // $0
  vector<text> arguments;             // $1 …
  volatile bool interrupted = false;  // ^C: loops and lists end
};
extern shell_state shell;
