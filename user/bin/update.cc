// update: the book's first way of synchronising, as a process. /etc/rc starts it. It knows nothing
// of buffers: the alarm signal wakes it every 30 seconds, the handler installs itself again (a
// handler is called once, chapter 8), sets the next alarm, and calls sync. The rest of the time it
// sleeps in pause.
#include <signal.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

namespace {

unsigned interval = 30;  // seconds

void on_alarm(int) {
  signal(SIGALRM, on_alarm);
  alarm(interval);
  sync();
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[SECONDS]\nCalls sync every so many seconds (30), for ever.");
  if (argc > 1) interval = static_cast<unsigned>(tool::number(argv[1]));
  if (argc > 2 || interval == 0) tool::misuse();
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  for (int fd = 0; fd < 20; ++fd) close(fd);
  chdir("/");
  on_alarm(SIGALRM);
  for (;;) pause();
}
