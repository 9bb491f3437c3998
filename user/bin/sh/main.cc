// sh: the shell. Its steps, a file each:
//
//   source     where the characters come from: terminal (line_edit), file, string
//   lexer      characters to words and operators
//   parser     words to a tree (syntax.h)
//   expand     words of the tree to arguments: $NAME, $(…), quotes, patterns (glob, arithmetic)
//   execute    walks the tree: builtin commands, programs, pipes; redirect; jobs
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/execute.h"
#include "user/bin/sh/jobs.h"
#include "user/bin/sh/variables.h"

shell_state shell;

namespace {

// argv[first] is $0, the rest are $1 ….
void take_arguments(int argc, char** argv, int first) {
  shell.script_name = text(first < argc ? argv[first] : argv[0]);
  for (int n = first + 1; n < argc; ++n) shell.arguments.push_back(text(argv[n]));
}

int run_string(int argc, char** argv, int at) {
  if (at >= argc) tool::misuse("-c needs a command");
  take_arguments(argc, argv, at + 1);
  string_source from(argv[at]);
  return run_all(from);
}

int run_script(int argc, char** argv, int at) {
  const int fd = open(argv[at], O_RDONLY);
  if (fd < 0) {
    tool::complain(argv[at]);
    return 127;
  }
  take_arguments(argc, argv, at);
  const int high = fcntl(fd, F_DUPFD, 10);
  close(fd);
  fcntl(high, F_SETFD, FD_CLOEXEC);
  file_source from(high, false);
  return run_all(from);
}

int run_input(int argc, char** argv) {
  take_arguments(argc, argv, argc);
  shell.interactive = isatty(0) && isatty(2);
  jobs_begin();
  if (!shell.interactive) {
    file_source from(0, true);
    return run_all(from);
  }
  terminal_source from;
  return run_interactively(from);
}

}  // namespace

int main(int argc, char** argv) {
  static char name[] = "sh";  // also when started as -sh
  argv[0] = name;
  tool::begin(
      argv,
      "[-ex] [-c COMMAND | FILE] [ARGUMENT]...\nRuns commands. `help` lists what is built in.");
  shell.shell_pid = getpid();
  variables::import_environment();
  if (!variables::get("PATH")) {
    variables::set("PATH", "/bin:/sbin:/etc:/book:/test");
    variables::mark_exported("PATH");
  }
  bool from_string = false;
  for (int option; (option = getopt(argc, argv, "cexil")) != -1;) {
    if (option == '?') tool::misuse();
    if (option == 'c') from_string = true;
    if (option == 'e') shell.stop_at_error = true;
    if (option == 'x') shell.trace = true;
  }
  const int status = from_string     ? run_string(argc, argv, optind)
                     : optind < argc ? run_script(argc, argv, optind)
                                     : run_input(argc, argv);
  exit_shell(status);
}
