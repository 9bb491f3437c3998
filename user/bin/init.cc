// init: process 1, the book's init() (chapter 4). Runs /etc/rc, then update and a shell, and each
// of the two again whenever it ends; every process whose father is gone becomes its child and is
// waited for here.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

char* const ENVIRONMENT[] = {const_cast<char*>("PATH=/bin:/sbin:/etc:/book:/test"),
                             const_cast<char*>("HOME=/root"), const_cast<char*>("TERM=vt100"),
                             nullptr};

// The console as descriptors 0, 1 and 2.
void open_console() {
  const int fd = open("/dev/console", O_RDWR);
  if (fd < 0) _exit(1);
  for (int n = 0; n < 3; ++n)
    if (n != fd) dup2(fd, n);
  if (fd > 2) close(fd);
}

void become_shell(char* const arguments[]) {
  execve("/bin/sh", arguments, ENVIRONMENT);
  perror("init: /bin/sh");
  sleep(1);  // it will be tried again
  _exit(1);
}

pid_t update = 0;  // 0: it was not started yet; -1: there was no room for it

void on_alarm(int) {}  // it has ended a wait

// `delay` in seconds: an update that ends at once must not keep the machine busy.
void start_update(unsigned delay) {
  update = fork();
  if (update < 0) {  // for want of room: tried again before each wait, and ten seconds end a wait
    signal(SIGALRM, on_alarm);
    alarm(10);
  }
  if (update != 0) return;
  sleep(delay);
  char* const arguments[] = {const_cast<char*>("update"), nullptr};
  execve("/etc/update", arguments, ENVIRONMENT);
  perror("init: /etc/update");
  sleep(60);  // it will be tried again
  _exit(1);
}

// Waits for one child. Other children that end before it are waited for too. -1, of a fork that has
// failed, is no child: then only those are waited for that have ended already.
void wait_for(pid_t child) {
  for (;;) {
    if (update < 0) start_update(0);
    const pid_t ended = waitpid(-1, nullptr, child < 0 ? WNOHANG : 0);
    if (ended == child || ended == 0 || (ended < 0 && errno == ECHILD)) return;
    if (ended == update) start_update(1);
  }
}

void run_rc() {
  char* const arguments[] = {const_cast<char*>("sh"), const_cast<char*>("/etc/rc"), nullptr};
  const pid_t child = fork();
  if (child == 0) become_shell(arguments);
  wait_for(child);
}

// A shell in a session of its own, with the console as its terminal.
void run_shell() {
  char* const arguments[] = {const_cast<char*>("-sh"), nullptr};
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    setsid();
    open_console();
    chdir("/root");
    become_shell(arguments);
  }
  if (child < 0) sleep(1);
  wait_for(child);
}

}  // namespace

// The kernel begins process 1 again when it has ended. What the earlier one had started is still
// there: its shell would read the same terminal, and there would be two updates.
void end_earlier_session() {
  kill(-1, SIGHUP);
  kill(-1, SIGCONT);  // what is stopped ends, too
}

int main() {
  end_earlier_session();
  open_console();
  run_rc();
  start_update(0);
  for (;;) {
    run_shell();
    printf("\ninit: the shell has ended; here is another one\n");
    sync();
  }
}
