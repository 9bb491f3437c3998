// time: how long a command takes.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <tool.h>
#include <unistd.h>

namespace {

long milliseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "PROGRAM [ARGUMENT]...\nRuns a program and says how long it took.");
  if (argc < 2) tool::misuse();
  const long start = milliseconds();
  const pid_t child = fork();
  if (child < 0) tool::die("fork");
  if (child == 0) {
    execvp(argv[1], argv + 1);
    tool::complain(argv[1]);
    _exit(127);
  }
  signal(SIGINT, SIG_IGN);
  int status = 0;
  waitpid(child, &status, 0);
  const long elapsed = milliseconds() - start;
  fprintf(stderr, "%ld.%03ld s\n", elapsed / 1000, elapsed % 1000);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
