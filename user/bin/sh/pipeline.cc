// Commands that run in processes of their own: programs, pipelines, subshells, the background, and
// $(command).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/execute.h"
#include "user/bin/sh/jobs.h"
#include "user/bin/sh/variables.h"

namespace {

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

// A background job gets no input from the terminal.
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

}  // namespace

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
