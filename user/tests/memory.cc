// The end of memory: a program that takes all of it is refused or killed; the others go on.
#include <signal.h>
#include <string.h>

#include "user/tests/check.h"

namespace {

constexpr int STEP = 1 << 20;

// Takes memory and touches it, until it gets no more.
int take_everything() {
  for (;;) {
    char* const piece = static_cast<char*>(sbrk(STEP));
    if (reinterpret_cast<long>(piece) == -1) return 7;
    for (int at = 0; at < STEP; at += 4096) piece[at] = 1;
  }
}

// A child that makes a child, and so on, each with pages of its own.
int breed(int generation) {
  static char pages[64 * 4096];
  memset(pages, generation, sizeof pages);
  const pid_t child = fork();
  if (child < 0) return 0;
  if (child == 0) _exit(breed(generation + 1));
  int status;
  waitpid(child, &status, 0);
  return 0;
}

bool ended_by_itself_or_killed(int status) {
  return WEXITSTATUS(status) == 7 || signal_of(status) == SIGKILL;
}

}  // namespace

int main() {
  check("taking everything ends", ended_by_itself_or_killed(status_of_child(take_everything)));
  check("and again", ended_by_itself_or_killed(status_of_child(take_everything)));
  check_equal("generations of children", signal_of(status_of_child([] { return breed(0); })), 0);
  check_equal("a program still runs", status_of_child([] {
                execl("/bin/echo", "echo", nullptr);
                return 1;
              }),
              0);
  finish_checks();
}
