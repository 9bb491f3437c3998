// Chapter 8, a signal is sent: SIGUSR1 to the process whose number is given. See processig.
//
// gdb: sys_kill → send_signal sets a bit of the receiver's task_struct and wakes it; nothing more.
// The receiver does the rest when it next returns to user mode.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: sendsig PID\n");
    return 2;
  }
  return kill(atoi(argv[1]), SIGUSR1) < 0 ? perror(argv[1]), 1 : 0;
}
