// Walks the tree that the parser built: lists, conditions, simple commands. Commands in processes
// of their own are in pipeline.cc, commands made of other commands in compound.cc.
#include "user/bin/sh/execute.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/builtin.h"
#include "user/bin/sh/expand.h"
#include "user/bin/sh/jobs.h"
#include "user/bin/sh/redirect.h"
#include "user/bin/sh/variables.h"

namespace {

int run_sequence(node& list) {
  int status = 0;
  for (owner<node>& part : list.parts) {
    status = run(*part);
    if (leaving()) break;
  }
  return status;
}

void assign(std::string_view word) {
  const size_t length = variables::assignment_length(word);
  variables::set(word.substr(0, length), expand_single(word.substr(length + 1)));
}

size_t count_assignments(const node& command) {
  size_t count = 0;
  while (count < command.words.size() && variables::assignment_length(command.words[count]))
    ++count;
  return count;
}

int run_builtin(builtin function, vector<text>& arguments, node& command) {
  redirected files;
  const bool keep = arguments[0] == "exec";
  if (!files.apply(command.redirections, keep)) return 1;
  int status = function(arguments);
  if (fflush(stdout) != 0) status = tool::complain(arguments[0].c_str());
  return files.undo() ? status : 1;
}

void print_trace(const vector<text>& arguments) {
  for (const text& argument : arguments)
    fprintf(stderr, "%s%s", &argument == arguments.begin() ? "+ " : " ", argument.c_str());
  fprintf(stderr, "\n");
}

}  // namespace

void exec_program(node& command, vector<text>& arguments, size_t assignments) {
  redirected files;
  if (!files.apply(command.redirections, true)) _exit(1);
  for (size_t n = 0; n < assignments; ++n) {
    assign(command.words[n]);
    variables::mark_exported(
        command.words[n].view().substr(0, variables::assignment_length(command.words[n])));
  }
  _exit(become_program(arguments));
}

int run_simple(node& command, bool in_child) {
  const size_t assignments = count_assignments(command);
  const bool nothing_else = assignments == command.words.size();
  if (nothing_else) shell.status = 0;  // $(command) in them sets it
  vector<text> arguments;
  for (size_t n = assignments; n < command.words.size(); ++n)
    expand_word(command.words[n], arguments);
  if (shell.trace && !arguments.empty()) print_trace(arguments);
  const builtin function = arguments.empty() ? nullptr : find_builtin(arguments[0]);
  if (arguments.empty() || function)
    for (size_t n = 0; n < assignments; ++n) assign(command.words[n]);
  if (function) return run_builtin(function, arguments, command);
  if (!arguments.empty() && arguments[0] == "kill") name_groups(arguments);
  if (!arguments.empty() && in_child) exec_program(command, arguments, assignments);
  if (!arguments.empty()) return run_program(command, arguments, assignments);
  redirected files;
  return files.apply(command.redirections, false) ? shell.status : 1;
}

namespace {

int run_redirected(node& command) {
  redirected files;
  if (!files.apply(command.redirections, false)) return 1;
  const int status = run_compound(command);
  return files.undo() ? status : 1;
}

int run_any(node& command) {
  switch (command.kind) {
    case node_kind::simple: return run_simple(command, false);
    case node_kind::pipeline: return run_pipeline(command);
    case node_kind::not_true: return run_condition(*command.parts[0]) == 0;
    case node_kind::and_then:
      if (run_condition(*command.parts[0]) != 0 || leaving()) return shell.status;
      return run(*command.parts[1]);
    case node_kind::or_else:
      if (run_condition(*command.parts[0]) == 0 || leaving()) return shell.status;
      return run(*command.parts[1]);
    case node_kind::sequence: return run_sequence(command);
    case node_kind::background: return run_background(command);
    default: return run_redirected(command);
  }
}

bool can_end_script(node_kind kind) {
  return kind == node_kind::simple || kind == node_kind::pipeline || kind == node_kind::subshell;
}

}  // namespace

int run(node& command) {
  shell.status = run_any(command);
  if (shell.status != 0 && shell.stop_at_error && !in_condition() && can_end_script(command.kind))
    exit_shell(shell.status);
  return shell.status;
}

int run_all(source& from) {
  for (;;) {
    owner<node> command;
    switch (parse_line(from, command)) {
      case parse_result::end: return shell.status;
      case parse_result::nothing: break;
      case parse_result::error: return shell.status = 2;
      case parse_result::command: run(*command);
    }
    if (leaving()) return shell.status;
  }
}

int run_interactively(source& from) {
  for (;;) {
    owner<node> command;
    shell.interrupted = false;
    switch (parse_line(from, command)) {
      case parse_result::end: return shell.status;
      case parse_result::nothing: break;
      case parse_result::error: shell.status = 2; break;
      case parse_result::command: run(*command);
    }
    if (!shell.interrupted) continue;
    shell.status = 128 + SIGINT;
    puts("");  // the prompt begins a line
    fflush(stdout);
  }
}

int become_program(const vector<text>& arguments) {
  vector<char*> argv;
  for (const text& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  variables::export_all();
  execvp(argv[0], argv.begin());
  if (errno == ENOENT && !strchr(argv[0], '/')) {
    tool::complain(argv[0], "not found");
    return 127;
  }
  tool::complain(argv[0]);
  return errno == ENOENT ? 127 : 126;
}
