// Chapter 8, a signal is handled: installs a handler for SIGUSR1 and waits for it, for ever; start
// it in the background, and send with   sendsig PID
//
// gdb: sys_signal; then, when it comes, do_signal: it builds a frame on the user's stack so that
// the return to user mode goes to the handler, and the handler's return through the restorer back
// here.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

void sig_usr(int signo) {
  printf("pid %d has received %s (%d)\n", getpid(), signo == SIGUSR1 ? "SIGUSR1" : "?", signo);
  fflush(stdout);
  signal(SIGUSR1, sig_usr);
}

int main() {
  if (signal(SIGUSR1, sig_usr) == SIG_ERR) return perror("signal"), 1;
  printf("processig has pid %d\n", getpid());
  for (;;) pause();
}
