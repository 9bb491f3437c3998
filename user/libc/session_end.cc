#include <errno.h>
#include <session_end.h>
#include <sys/reboot.h>
#include <tool.h>
#include <unistd.h>

int end_session(int argc, char** argv, const char* usage, unsigned command) {
  tool::begin(argv, usage);
  unsigned flags = 0;
  for (int option; (option = getopt(argc, argv, "f")) != -1;) {
    if (option == '?') tool::misuse();
    flags = RB_FORCE;
  }
  if (optind < argc) tool::misuse();
  reboot(command, flags);
  if (errno != EBUSY) return tool::complain("the machine stays on");
  return tool::complain("the machine stays on", "plug the stick in, or give up what waits with -f");
}
