#include "user/bin/sh/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/builtin.h"
#include "user/bin/sh/expand.h"
#include "user/bin/sh/jobs.h"
#include "user/bin/sh/redirect.h"
#include "user/bin/sh/variables.h"

namespace {

int loop_depth, loops_to_leave;
bool continue_last;  // of the loops to leave, the outermost goes on
int conditions;      // inside them set -e does not apply

bool leaving() { return loops_to_leave > 0 || shell.interrupted; }

int run_condition(node& condition) {
  ++conditions;
  const int status = run(condition);
  --conditions;
  return status;
}

int run_simple(node& command, bool in_child);

bool is_only_wrapping(const node& command) {
  return (command.kind == node_kind::sequence || command.kind == node_kind::group) &&
         command.parts.size() == 1 && command.redirections.empty();
}

// In the child: never returns. A single command becomes the child itself, so that the pid that is
// known outside ($!, the job's) is the program's.
[[noreturn]] void run_child(node& command) {
  forget_jobs();
  node* only = &command;
  while (is_only_wrapping(*only)) only = &*only->parts[0];
  const int status = only->kind == node_kind::simple ? run_simple(*only, true) : run(*only);
  fflush(stdout);
  _exit(status);
}

pid_t fork_or_complain() {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) tool::complain("fork");
  return child;
}

int run_sequence(node& list) {
  int status = 0;
  for (owner<node>& part : list.parts) {
    status = run(*part);
    if (leaving()) break;
  }
  return status;
}

// In the background there is nobody to type.
void detach_input() {
  const int fd = open("/dev/null", O_RDONLY);
  if (fd <= 0) return;
  dup2(fd, 0);
  close(fd);
}

struct pipe_ends {
  int in = -1, out = -1;
};

// The child's side of one step: its input and output are pipes, where there are some.
[[noreturn]] void run_step(node& step, int input, const pipe_ends& next) {
  if (input >= 0) {
    dup2(input, 0);
    close(input);
  }
  if (next.out >= 0) {
    dup2(next.out, 1);
    close(next.out);
    close(next.in);
  }
  run_child(step);
}

// One or more commands, each in a process, joined by pipes. `started` gets their pids.
pid_t start_steps(vector<owner<node>>& steps, bool foreground, vector<pid_t>& started) {
  pid_t group = 0;
  int input = -1;
  for (size_t n = 0; n < steps.size(); ++n) {
    pipe_ends next;
    if (n + 1 < steps.size()) {
      int ends[2];
      if (pipe(ends) < 0) {
        tool::complain("pipe");
        break;
      }
      next = {ends[0], ends[1]};
    }
    const pid_t child = fork_or_complain();
    if (child == 0) {
      become_job_member(group, foreground);
      if (!foreground && input < 0) detach_input();
      run_step(*steps[n], input, next);
    }
    if (input >= 0) close(input);
    if (next.out >= 0) close(next.out);
    input = next.in;
    if (child < 0) break;
    if (group == 0) group = child;
    adopt_job_member(child, group);
    started.push_back(child);
  }
  if (input >= 0) close(input);
  return group;
}

int run_pipeline(node& pipes) {
  vector<pid_t> started;
  const pid_t group = start_steps(pipes.parts, true, started);
  return started.empty() ? 1 : wait_foreground(group, started, describe(pipes));
}

int run_background(node& command) {
  node& what = *command.parts[0];
  vector<pid_t> started;
  const pid_t group =
      start_steps(what.kind == node_kind::pipeline ? what.parts : command.parts, false, started);
  if (started.empty()) return 1;
  add_background(group, started, describe(what));
  return 0;
}

int run_subshell(node& command) {
  vector<pid_t> started;
  const pid_t child = fork_or_complain();
  if (child == 0) {
    become_job_member(0, true);
    run_child(*command.parts[0]);
  }
  if (child < 0) return 1;
  adopt_job_member(child, child);
  started.push_back(child);
  return wait_foreground(child, started, describe(command));
}

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
  if (shell.interrupted) return true;
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

// In the child. The assignments before the name are for the program alone.
[[noreturn]] void exec_program(node& command, vector<text>& arguments, size_t assignments) {
  redirected files;
  if (!files.apply(command.redirections, true)) _exit(1);
  for (size_t n = 0; n < assignments; ++n) {
    assign(command.words[n]);
    variables::mark_exported(
        command.words[n].view().substr(0, variables::assignment_length(command.words[n])));
  }
  _exit(become_program(arguments));
}

int run_program(node& command, vector<text>& arguments, size_t assignments) {
  vector<pid_t> started;
  const pid_t child = fork_or_complain();
  if (child == 0) {
    become_job_member(0, true);
    exec_program(command, arguments, assignments);
  }
  if (child < 0) return 1;
  adopt_job_member(child, child);
  started.push_back(child);
  return wait_foreground(child, started, describe(command));
}

void print_trace(const vector<text>& arguments) {
  for (const text& argument : arguments)
    fprintf(stderr, "%s%s", &argument == arguments.begin() ? "+ " : " ", argument.c_str());
  fprintf(stderr, "\n");
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
  if (!arguments.empty() && in_child) exec_program(command, arguments, assignments);
  if (!arguments.empty()) return run_program(command, arguments, assignments);
  redirected files;
  return files.apply(command.redirections, false) ? shell.status : 1;
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
  if (shell.status != 0 && shell.stop_at_error && conditions == 0 && can_end_script(command.kind))
    exit(shell.status);
  return shell.status;
}

int run_all(source& from) {
  for (;;) {
    owner<node> command;
    switch (parse_line(from, command)) {
      case parse_result::end: return shell.status;
      case parse_result::nothing: break;
      case parse_result::error:
        shell.status = 2;
        if (!shell.interactive) return shell.status;
        break;
      case parse_result::command:
        shell.interrupted = false;
        run(*command);
        if (shell.interrupted) puts("");
        fflush(stdout);
        loops_to_leave = 0;
    }
  }
}

text command_output(std::string_view command) {
  text output;
  int ends[2];
  if (pipe(ends) < 0) return tool::complain("pipe"), text();
  const pid_t child = fork_or_complain();
  if (child == 0) {
    shell.interactive = false;
    close(ends[0]);
    dup2(ends[1], 1);
    close(ends[1]);
    forget_jobs();
    string_source from(command);
    const int status = run_all(from);
    fflush(stdout);
    _exit(status);
  }
  close(ends[1]);
  char part[512];
  for (ssize_t count;
       (count = read(ends[0], part, sizeof part)) > 0 || (count < 0 && errno == EINTR);)
    if (count > 0) output.add({part, static_cast<size_t>(count)});
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  shell.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  while (!output.empty() && output.back() == '\n') output.cut(output.size() - 1);
  return output;
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

void leave_loops(int count, bool and_continue) {
  loops_to_leave = count < loop_depth ? count : loop_depth;
  continue_last = and_continue;
}

bool in_loop() { return loop_depth > 0; }
