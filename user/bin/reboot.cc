// reboot: ends the session and starts the machine again.
#include <session_end.h>
#include <sys/reboot.h>

int main(int argc, char** argv) {
  return end_session(
      argc, argv,
      "[-f]\nWrites everything, unmounts, and starts the machine again; refuses while "
      "blocks wait for a stick.\n  -f  gives them up: the console names the files",
      RB_AUTOBOOT);
}
