#include <errno.h>
#include <session_end.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <tool.h>
#include <unistd.h>

namespace {

constexpr int PATIENCE = 10;  // seconds

// Whether blocks wait for a stick that is out. For one that was changed elsewhere, or that refuses
// blocks, the user has to do more than plug it in.
bool sticks_are_missed() {
  FILE* volumes = fopen("/dev/ckpt", "r");
  if (!volumes) return false;
  bool found = false;
  char line[256];
  while (fgets(line, sizeof line, volumes))
    found |= strstr(line, " absent ") && !strstr(line, " 0 held");
  fclose(volumes);
  return found;
}

// Counts down while sticks are missed. Whether they are back.
bool come_back() {
  for (int left = PATIENCE; left > 0 && sticks_are_missed(); --left) {
    printf("\rPlug the stick in: %2d s left, ^C stays on ", left);
    fflush(stdout);
    sleep(1);
  }
  putchar('\n');
  return !sticks_are_missed();
}

}  // namespace

int end_session(int argc, char** argv, const char* usage, unsigned command) {
  tool::begin(argv, usage);
  unsigned flags = 0;
  for (int option; (option = getopt(argc, argv, "f")) != -1;) {
    if (option == '?') tool::misuse();
    flags = RB_FORCE;
  }
  if (optind < argc) tool::misuse();
  do {
    reboot(command, flags);
    if (errno != EBUSY) return tool::complain("the machine stays on");
  } while (sticks_are_missed() && come_back());
  return tool::complain("the machine stays on", "plug the stick in, or give up what waits with -f");
}
