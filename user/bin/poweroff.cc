// poweroff: ends the session. The kernel unmounts what is mounted; what could not be written is
// told.
#include <stdio.h>
#include <sys/reboot.h>
#include <tool.h>
#include <unistd.h>

int main(int, char** argv) {
  tool::begin(argv, "\nWrites everything, unmounts, and switches the machine off.");
  if (sync() < 0) tool::complain("not everything was written");
  reboot(RB_POWER_OFF);
  return tool::complain("the machine stays on");
}
