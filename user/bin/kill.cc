// kill: sends a signal to processes; to a whole group when the number is negative.
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>

namespace {

struct named_signal {
  const char* name;
  int number;
};

const named_signal SIGNALS[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"BUS", SIGBUS},   {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU},
};

int parse_signal(const char* word) {
  if (isdigit(*word)) return static_cast<int>(tool::number(word));
  if (strncmp(word, "SIG", 3) == 0) word += 3;
  for (const named_signal& s : SIGNALS)
    if (strcasecmp(s.name, word) == 0) return s.number;
  tool::die(word, "no such signal (kill -l lists them)");
}

int list_signals() {
  for (const named_signal& s : SIGNALS) printf("%2d %s\n", s.number, s.name);
  return tool::end(0);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-SIGNAL] PID...\nSends a signal (TERM) to processes; -PID is a whole group.\n"
              "  -l  lists the signals");
  int first = 1, signal_nr = SIGTERM;
  if (argc > 1 && strcmp(argv[1], "-l") == 0) return list_signals();
  if (argc > 1 && strcmp(argv[1], "--") == 0) {
    first = 2;
  } else if (argc > 2 && strcmp(argv[1], "-s") == 0) {
    signal_nr = parse_signal(argv[2]);
    first = 3;
  } else if (argc > 1 && argv[1][0] == '-') {
    signal_nr = parse_signal(argv[1] + 1);
    first = 2;
  }
  if (first >= argc) tool::misuse();
  int status = 0;
  for (int n = first; n < argc; ++n) {
    char* end;
    const long pid = strtol(argv[n], &end, 10);
    if (end == argv[n] || *end)
      status = tool::complain(argv[n], "not a process number");
    else if (kill(static_cast<pid_t>(pid), signal_nr) < 0)
      status = tool::complain(argv[n]);
  }
  return status;
}
