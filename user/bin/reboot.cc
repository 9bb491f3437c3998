// reboot: ends the session and starts the machine again.
#include <stdio.h>
#include <sys/reboot.h>
#include <tool.h>
#include <unistd.h>

int main(int, char** argv) {
  tool::begin(argv, "\nWrites everything, unmounts, and starts the machine again.");
  if (sync() < 0) tool::complain("not everything was written");
  reboot(RB_AUTOBOOT);
  return tool::complain("the machine does not start again");
}
