// Commands made of commands: if, while, until, for, case; break and continue.
#include "user/bin/sh/execute.h"
#include "user/bin/sh/expand.h"
#include "user/bin/sh/variables.h"

namespace {

int loop_depth, loops_to_leave;
bool continue_last;  // of the loops to leave, the outermost goes on
int conditions;      // inside them set -e does not apply

int run_if(node& clause) {
  size_t n = 0;
  for (; n + 1 < clause.parts.size(); n += 2) {
    const bool holds = run_condition(*clause.parts[n]) == 0;
    if (leaving()) return shell.status;
    if (holds) return run(*clause.parts[n + 1]);
  }
  return n < clause.parts.size() ? run(*clause.parts[n]) : 0;
}

// After a loop's body: whether the loop ends.
bool loop_ends() {
  if (shell.interrupted) {
    loops_to_leave = 0;
    return true;
  }
  if (loops_to_leave == 0) return false;
  --loops_to_leave;
  return loops_to_leave > 0 || !continue_last;
}

int run_while(node& loop) {
  int status = 0;
  ++loop_depth;
  while ((run_condition(*loop.parts[0]) == 0) == (loop.kind == node_kind::while_loop)) {
    if (leaving() && loop_ends()) break;
    status = run(*loop.parts[1]);
    if (loop_ends()) break;
  }
  --loop_depth;
  return status;
}

int run_for(node& loop) {
  vector<text> values;
  for (size_t n = 1; n < loop.words.size(); ++n) expand_word(loop.words[n], values);
  if (loop.over_arguments)
    for (text& argument : shell.arguments) values.push_back(text(argument.view()));
  int status = 0;
  ++loop_depth;
  for (text& value : values) {
    variables::set(loop.words[0], value);
    status = run(*loop.parts[0]);
    if (loop_ends()) break;
  }
  --loop_depth;
  return status;
}

int run_case(node& clause) {
  const text subject = expand_single(clause.words[0]);
  for (owner<node>& item : clause.parts)
    for (text& pattern : item->words)
      if (matches(expand_pattern(pattern).c_str(), subject.c_str())) return run(*item->parts[0]);
  return 0;
}

}  // namespace

bool leaving() { return loops_to_leave > 0 || shell.interrupted; }
bool in_condition() { return conditions > 0; }

int run_condition(node& condition) {
  ++conditions;
  const int status = run(condition);
  --conditions;
  return status;
}

int run_compound(node& command) {
  switch (command.kind) {
    case node_kind::if_clause: return run_if(command);
    case node_kind::while_loop:
    case node_kind::until_loop: return run_while(command);
    case node_kind::for_loop: return run_for(command);
    case node_kind::case_clause: return run_case(command);
    case node_kind::subshell: return run_subshell(command);
    default: return run(*command.parts[0]);
  }
}

void leave_loops(int count, bool and_continue) {
  loops_to_leave = count < loop_depth ? count : loop_depth;
  continue_last = and_continue;
}

bool in_loop() { return loop_depth > 0; }
