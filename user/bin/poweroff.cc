// poweroff: ends the session and switches the machine off.
#include <session_end.h>
#include <sys/reboot.h>

int main(int argc, char** argv) {
  return end_session(
      argc, argv,
      "[-f]\nWrites everything, unmounts, and switches the machine off; refuses while "
      "blocks wait for a stick.\n  -f  gives them up: the console names the files",
      RB_POWER_OFF);
}
