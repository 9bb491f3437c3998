// Signals: handlers, masks, interrupted calls, and default actions.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <initializer_list>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

volatile int calls = 0, last = 0, depth = 0, deepest = 0;

void count(int signal_nr) {
  calls = calls + 1;
  last = signal_nr;
}

void nest(int signal_nr) {
  depth = depth + 1;
  if (depth > deepest) deepest = depth;
  calls = calls + 1;
  if (calls < 4) raise(signal_nr);
  depth = depth - 1;
}

void set(int signal_nr, sighandler_t handler, unsigned flags = 0, sigset_t mask = 0) {
  struct sigaction action = {handler, mask, flags, nullptr};
  sigaction(signal_nr, &action, nullptr);
}

// A child that sends `signal_nr` to this process after a while, `times` times.
pid_t send_later(int signal_nr, int times = 1) {
  const pid_t target = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  for (int i = 0; i < times; ++i) {
    usleep(100000);
    kill(target, signal_nr);
  }
  _exit(0);
}

void test_handlers() {
  set(SIGUSR1, count);
  calls = 0;
  raise(SIGUSR1);
  check("a handler runs", calls == 1 && last == SIGUSR1);
  raise(SIGUSR1);
  check("a sigaction handler stays", calls == 2);

  signal(SIGUSR1, count);
  raise(SIGUSR1);
  struct sigaction now_set;
  sigaction(SIGUSR1, nullptr, &now_set);
  check("a signal() handler is gone after one call", now_set.sa_handler == SIG_DFL);

  calls = 0;
  deepest = 0;
  set(SIGUSR1, nest);
  raise(SIGUSR1);
  check("a handler does not interrupt itself", deepest == 1 && calls > 3);
  calls = 0;
  deepest = 0;
  set(SIGUSR1, nest, SA_NODEFER);
  raise(SIGUSR1);
  check("unless it wants to", deepest == 4);
}

void test_registers() {
  set(SIGUSR1, count);
  long b = 0, c = 0, d = 0, s = 0;
  asm volatile("int $0x80"
               : "=b"(b), "=c"(c), "=d"(d), "=S"(s)
               : "a"(37), "b"(getpid()), "c"(SIGUSR1), "d"(0x1234), "S"(0x5678)
               : "memory", "cc");
  check("the registers survive a handler",
        b == getpid() && c == SIGUSR1 && d == 0x1234 && s == 0x5678);
}

void test_masks() {
  set(SIGUSR1, count);
  set(SIGUSR2, count);
  calls = 0;
  sigset_t usr1 = signal_bit(SIGUSR1), old = 0;
  sigprocmask(SIG_BLOCK, &usr1, &old);
  raise(SIGUSR1);
  raise(SIGUSR1);
  check("a blocked signal waits", calls == 0);
  sigset_t waiting = 0;
  check("sigpending tells of it", sigpending(&waiting) == 0 && waiting == usr1);
  sigprocmask(SIG_SETMASK, &old, nullptr);
  check("and comes once", calls == 1);
  check("then nothing waits", sigpending(&waiting) == 0 && waiting == 0);

  static volatile int inside = 0;
  set(
      SIGUSR1,
      [](int) {
        const int before = calls;
        raise(SIGUSR2);
        inside = calls - before;
      },
      0, signal_bit(SIGUSR2));
  calls = 0;
  raise(SIGUSR1);
  check("sa_mask blocks during the handler", inside == 0 && calls == 1);

  sigset_t all = ~0u, seen = 0;
  sigprocmask(SIG_BLOCK, &all, &old);
  sigprocmask(SIG_BLOCK, nullptr, &seen);
  sigprocmask(SIG_SETMASK, &old, nullptr);
  check("KILL and STOP cannot be blocked",
        (seen & (signal_bit(SIGKILL) | signal_bit(SIGSTOP))) == 0 && seen != 0);
}

void test_errors() {
  struct sigaction action = {count, 0, 0, nullptr};
  check_errno("KILL cannot be caught", sigaction(SIGKILL, &action, nullptr), EINVAL);
  check_errno("STOP cannot be caught", sigaction(SIGSTOP, &action, nullptr), EINVAL);
  check_errno("there is no signal 0", sigaction(0, &action, nullptr), EINVAL);
  check_errno("there is no signal 32", sigaction(32, &action, nullptr), EINVAL);
  check_errno("kill with a bad signal", kill(getpid(), 32), EINVAL);
  check_errno("kill of nobody", kill(30000, SIGTERM), ESRCH);
  check("kill with 0 asks only", kill(getpid(), 0) == 0);
}

void test_interrupted_calls() {
  int ends[2];
  char c;
  pipe(ends);
  set(SIGUSR1, count);
  calls = 0;
  send_later(SIGUSR1);
  check_errno("a signal interrupts read", read(ends[0], &c, 1), EINTR);
  check("by its handler", calls == 1);
  wait(nullptr);

  set(
      SIGUSR1, [](int) { count(SIGUSR1); }, SA_RESTART);
  static int writing_end;
  writing_end = ends[1];
  set(
      SIGUSR2, [](int) { write(writing_end, "x", 1); }, SA_RESTART);
  calls = 0;
  send_later(SIGUSR1, 2);
  if (fork() == 0) {
    usleep(400000);
    kill(getppid(), SIGUSR2);
    _exit(0);
  }
  check("SA_RESTART begins read again", read(ends[0], &c, 1) == 1 && c == 'x' && calls == 2);
  while (wait(nullptr) > 0) {
  }

  send_later(SIGUSR1);
  check_errno("pause is never begun again", pause(), EINTR);
  wait(nullptr);

  send_later(SIGUSR1);
  const struct timespec time = {5, 0};
  struct timespec left = {0, 0};
  check_errno("a signal ends nanosleep", nanosleep(&time, &left), EINTR);
  check("which tells what was left", left.tv_sec == 4);
  wait(nullptr);

  // SIGCHLD is ignored by default: the end of a child does not end a sleep.
  if (fork() == 0) _exit(0);
  const struct timespec short_time = {0, 200000000};
  check("an ignored signal interrupts nothing", nanosleep(&short_time, nullptr) == 0);
  wait(nullptr);
  close(ends[0]);
  close(ends[1]);
}

void test_alarm() {
  set(SIGALRM, count);
  calls = 0;
  alarm(10);
  const unsigned left = alarm(1);
  check("alarm tells what was left", left == 10 || left == 9);
  check_errno("pause waits for the alarm", pause(), EINTR);
  check("which came", calls == 1 && last == SIGALRM);
  alarm(1);
  check("an alarm can be taken back", alarm(0) == 1);
  check_equal("an alarm kills by default", signal_of(status_of_child([] {
                signal(SIGALRM, SIG_DFL);
                alarm(1);
                for (;;) pause();
                return 0;
              })),
              SIGALRM);
}

void test_pipes() {
  check_equal("SIGPIPE kills the writer of a closed pipe", signal_of(status_of_child([] {
                int ends[2];
                pipe(ends);
                close(ends[0]);
                write(ends[1], "x", 1);
                return 0;
              })),
              SIGPIPE);
  check_equal("or tells EPIPE", WEXITSTATUS(status_of_child([] {
                signal(SIGPIPE, SIG_IGN);
                int ends[2];
                pipe(ends);
                close(ends[0]);
                return write(ends[1], "x", 1) == -1 ? errno : 0;
              })),
              EPIPE);
}

void test_children() {
  set(SIGCHLD, count);
  calls = 0;
  if (fork() == 0) _exit(3);
  int status = 0;
  while (wait(&status) < 0 && errno == EINTR) {
  }
  check("SIGCHLD tells of a child's end", calls == 1 && WEXITSTATUS(status) == 3);
  signal(SIGCHLD, SIG_DFL);

  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  check("waitpid tells of a stop", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  kill(child, SIGCONT);
  kill(child, SIGTERM);
  waitpid(child, &status, 0);
  check_equal("a continued child can be ended", signal_of(status), SIGTERM);

  const pid_t stopped = fork();
  if (stopped == 0)
    for (;;) pause();
  kill(stopped, SIGSTOP);
  waitpid(stopped, &status, WUNTRACED);
  kill(stopped, SIGKILL);
  waitpid(stopped, &status, 0);
  check_equal("a stopped child can be killed", signal_of(status), SIGKILL);
}

// How often SIGCHLD comes while a child stops, goes on and ends.
int signals_of_a_stop(uint32_t flags) {
  set(SIGCHLD, count, flags);
  calls = 0;
  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  int status;
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  const int stops = calls;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  signal(SIGCHLD, SIG_DFL);
  return stops;
}

void test_stops() {
  check_equal("SIGCHLD tells of a stop", signals_of_a_stop(0), 1);
  check_equal("but not with SA_NOCLDSTOP", signals_of_a_stop(SA_NOCLDSTOP), 0);
}

void test_ignored_by_default() {
  check_equal("some signals end nothing by default", status_of_child([] {
                for (const int number : {SIGCHLD, SIGCONT, SIGURG, SIGWINCH}) {
                  signal(number, SIG_DFL);
                  raise(number);
                }
                return 0;
              }),
              0);
}

void test_groups() {
  int status;
  const pid_t leader = fork();
  if (leader == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(leader, leader);
  const pid_t member = fork();
  if (member == 0)
    for (;;) pause();
  check("setpgid of a child", setpgid(member, leader) == 0 && getpgid(member) == leader);
  check("kill of a group", kill(-leader, SIGTERM) == 0);
  waitpid(leader, &status, 0);
  check_equal("reaches its leader", signal_of(status), SIGTERM);
  waitpid(member, &status, 0);
  check_equal("and its member", signal_of(status), SIGTERM);
}

void test_bad_frames() {
  check_equal("sigreturn without a frame kills", signal_of(status_of_child([] {
                asm volatile("mov $0x1000, %%esp; mov $119, %%eax; int $0x80" : : : "memory");
                return 0;
              })),
              SIGSEGV);
  check_equal("a handler without a stack kills", signal_of(status_of_child([] {
                set(SIGUSR1, count);
                const int pid = getpid();
                asm volatile("mov $0x1000, %%esp; int $0x80"
                             :
                             : "a"(37), "b"(pid), "c"(SIGUSR1)
                             : "memory");
                return 0;
              })),
              SIGSEGV);
  // A frame that asks for interrupts off and the ports on must not get them.
  check_equal("sigreturn gives no privilege", signal_of(status_of_child([] {
                static uint32_t frame[16];
                asm volatile(
                    "call 1f; 1: pop %%eax; add $(2f - 1b), %%eax; mov %%eax, 28(%0);"
                    "movl $0x3000, 32(%0); mov %0, 36(%0); mov %0, %%esp;"
                    "mov $119, %%eax; int $0x80; 2: cli"
                    :
                    : "r"(frame)
                    : "eax", "memory");
                return 0;
              })),
              SIGSEGV);
}

}  // namespace

int main() {
  test_handlers();
  test_registers();
  test_masks();
  test_errors();
  test_interrupted_calls();
  test_alarm();
  test_pipes();
  test_children();
  test_stops();
  test_ignored_by_default();
  test_groups();
  test_bad_frames();
  finish_checks();
}
