// The end of the process table: fork is refused, and works again when there is room.
//
// `crowd hold` keeps the table full until it is interrupted. So the kernel can be watched while the
// table has no free place.
#include <signal.h>
#include <string.h>

#include "user/tests/check.h"

namespace {

pid_t children[256];
int nr_children = 0;

// Children that do nothing, until there is no room for another one. Whether it was that.
bool fill_table() {
  for (;;) {
    const pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    if (child < 0) return errno == EAGAIN;
    if (nr_children == 256) return false;
    children[nr_children++] = child;
  }
}

void end_children() {
  while (nr_children > 0) {
    const pid_t child = children[--nr_children];
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

[[noreturn]] void hold() {
  fill_table();
  printf("the process table is full\n");
  for (;;) {
    usleep(1000);
    fill_table();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "hold") == 0) hold();
  check("fork is refused when the table is full", fill_table());
  check("after some fifty processes", nr_children >= 50);
  end_children();
  check_equal("it works again when they have ended", status_of_child([] { return 0; }), 0);
  check("as often as before", fill_table());
  end_children();
  finish_checks();
}
