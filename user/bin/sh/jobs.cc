// Process groups, the terminal, and the table of jobs; see jobs.h.
#include "user/bin/sh/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/variables.h"

namespace {

struct job {
  int number;
  pid_t group;
  vector<pid_t> members;  // still alive
  pid_t last;             // whose status counts
  int status;
  bool stopped, told;
  text command;
};

vector<job> all;
pid_t shell_group;
pid_t group_before;  // had the terminal before the shell, and gets it back
struct termios normal_manners;

constexpr int TERMINAL = 0;

void set_handler(int signal_nr, sighandler_t handler) {
  const struct sigaction action = {handler, 0, 0, nullptr};
  sigaction(signal_nr, &action, nullptr);
}

void on_interrupt(int) { shell.interrupted = true; }

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

job make_job(pid_t group, const vector<pid_t>& members, std::string_view command) {
  int number = 1;
  for (const job& j : all)
    if (j.number >= number) number = j.number + 1;
  job j{number, group, {}, members.back(), 0, false, false, text(command)};
  for (pid_t pid : members) j.members.push_back(pid);
  return j;
}

void print(const job& j, const char* state) {
  printf("[%d] %-8s %s\n", j.number, state, j.command.c_str());
}

// Notes the status that waitpid returned for one member.
void note(job& j, pid_t pid, int status) {
  if (WIFSTOPPED(status)) {
    j.stopped = true;
    return;
  }
  for (size_t n = 0; n < j.members.size(); ++n)
    if (j.members[n] == pid) j.members.erase(n);
  if (pid == j.last) j.status = status;
}

// Looks, without waiting, at every background job.
void poll() {
  for (job& j : all)
    for (size_t n = j.members.size(); n-- > 0;) {
      int status;
      const pid_t pid = j.members[n];
      const pid_t ended = waitpid(pid, &status, WNOHANG | WUNTRACED);
      if (ended > 0) note(j, pid, status);
      if (ended < 0 && errno == ECHILD) note(j, pid, 0);
    }
}

// Waits until all members have ended or the job is stopped; for a background job also until ^C.
bool wait_for(job& j, bool interruptible) {
  while (!j.members.empty() && !j.stopped) {
    int status = 0;
    const pid_t pid = j.members[0];
    const pid_t ended = waitpid(pid, &status, WUNTRACED);
    if (ended < 0 && errno == EINTR) {
      if (interruptible && shell.interrupted) return false;
      continue;
    }
    note(j, pid, ended < 0 ? 0 : status);
  }
  return true;
}

// A program may have set O_NONBLOCK, which belongs to the open file that it shared with the shell.
void take_terminal_back() {
  if (!shell.interactive) return;
  fcntl(TERMINAL, F_SETFL, 0);
  tcsetpgrp(TERMINAL, shell_group);
  tcsetattr(TERMINAL, TCSANOW, &normal_manners);
}

void tell_death(int status) {
  if (!WIFSIGNALED(status)) return;
  if (WTERMSIG(status) == SIGINT) {
    shell.interrupted = shell.interactive;
  } else if (WTERMSIG(status) != SIGPIPE) {
    fprintf(stderr, "%s\n", strsignal(WTERMSIG(status)));
  }
}

// After the wait for a foreground job: it has ended, or it was stopped and goes into the table.
// Returns $?.
int settle_foreground(job j) {
  take_terminal_back();
  if (!j.stopped) {
    tell_death(j.status);
    return exit_status(j.status);
  }
  putchar('\n');
  print(j, "Stopped");
  fflush(stdout);
  j.told = true;
  all.push_back(std::move(j));
  return 128 + SIGTSTP;
}

job* find(std::string_view which) {
  if (which.empty()) return all.empty() ? nullptr : &all.back();
  const bool by_number = which[0] == '%';
  const int wanted = atoi(text(which.substr(by_number)).c_str());
  for (job& j : all)
    if (by_number ? j.number == wanted : j.last == wanted || j.group == wanted) return &j;
  return nullptr;
}

int not_found(std::string_view which) {
  return tool::complain(which.empty() ? "job" : text(which).c_str(), "no such job");
}

int wait_and_forget(job& j) {
  if (!wait_for(j, true)) return 128 + SIGINT;
  const int status = exit_status(j.status);
  if (!j.stopped) all.erase(static_cast<size_t>(&j - all.begin()));
  return status;
}

}  // namespace

void jobs_begin() {
  if (!shell.interactive) return;
  // In the background the shell is stopped here, as SIGTTOU is not ignored yet, until it is
  // continued in the foreground.
  group_before = getpgrp();
  tcsetpgrp(TERMINAL, group_before);
  set_handler(SIGINT, on_interrupt);
  for (int signal_nr : {SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU})
    set_handler(signal_nr, SIG_IGN);
  shell_group = group_before;
  if (shell_group != getpid() && setpgid(0, 0) == 0) shell_group = getpid();
  tcsetpgrp(TERMINAL, shell_group);
  tcgetattr(TERMINAL, &normal_manners);
}

void exit_shell(int status) {
  if (shell.interactive && group_before != shell_group) tcsetpgrp(TERMINAL, group_before);
  exit(status);
}

void become_job_member(pid_t group, bool foreground) {
  if (!shell.interactive) {
    if (foreground) return;
    set_handler(SIGINT, SIG_IGN);
    set_handler(SIGQUIT, SIG_IGN);
    return;
  }
  setpgid(0, group);
  if (foreground) tcsetpgrp(TERMINAL, group ? group : getpid());
  for (int signal_nr : {SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU})
    set_handler(signal_nr, SIG_DFL);
  shell.interactive = false;
}

void adopt_job_member(pid_t child, pid_t group) {
  if (shell.interactive) setpgid(child, group);
}

int wait_foreground(pid_t group, const vector<pid_t>& members, std::string_view command) {
  if (shell.interactive) tcsetpgrp(TERMINAL, group);
  job j = make_job(group, members, command);
  wait_for(j, false);
  return settle_foreground(std::move(j));
}

void add_background(pid_t group, const vector<pid_t>& members, std::string_view command) {
  all.push_back(make_job(group, members, command));
  shell.background = members.back();
  if (shell.interactive) printf("[%d] %d\n", all.back().number, members.back());
  fflush(stdout);
}

void report_jobs() {
  poll();
  for (size_t n = 0; n < all.size(); ++n) {
    job& j = all[n];
    if (j.members.empty()) {
      print(j, WIFSIGNALED(j.status) ? strsignal(WTERMSIG(j.status)) : "Done");
      all.erase(n--);
    } else if (j.stopped && !j.told) {
      print(j, "Stopped");
      j.told = true;
    }
  }
  fflush(stdout);
}

void forget_jobs() { all.clear(); }

void name_groups(vector<text>& arguments) {
  vector<text> named;
  for (text& argument : arguments) {
    const job* found = argument.view().starts_with('%') ? find(argument) : nullptr;
    if (found && named.size() == 1) named.push_back(text("--"));  // -5 would be a signal there
    char number[16];
    snprintf(number, sizeof number, "-%d", found ? found->group : 0);
    named.push_back(found ? text(number) : std::move(argument));
  }
  arguments = std::move(named);
}

int jobs_command() {
  poll();
  for (job& j : all) {
    if (!j.members.empty()) print(j, j.stopped ? "Stopped" : "Running");
    j.told = j.stopped;
  }
  report_jobs();
  return 0;
}

int resume_command(std::string_view which, bool foreground) {
  job* found = find(which);
  if (!found) return not_found(which);
  found->stopped = found->told = false;
  if (!foreground) {
    print(*found, "Running");
    kill(-found->group, SIGCONT);
    return 0;
  }
  job j = std::move(*found);
  all.erase(static_cast<size_t>(found - all.begin()));
  tcsetpgrp(TERMINAL, j.group);
  kill(-j.group, SIGCONT);
  puts(j.command.c_str());
  fflush(stdout);
  wait_for(j, false);
  return settle_foreground(std::move(j));
}

int wait_command(std::string_view which) {
  if (!which.empty()) {
    job* found = find(which);
    return found ? wait_and_forget(*found) : not_found(which) + 126;
  }
  for (size_t n = 0; n < all.size();) {
    const size_t before = all.size();
    const int status = wait_and_forget(all[n]);
    if (shell.interrupted) return status;
    if (all.size() == before) ++n;
  }
  return 0;
}
