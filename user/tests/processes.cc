// Processes: fork with copy-on-write, waitpid, memory, groups, clocks. exec has a test of its own.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

int shared_variable = 1;
int large_array[64 * 1024];

void test_copy_on_write() {
  int local = 1;
  int* const heap = static_cast<int*>(malloc(sizeof(int)));
  *heap = 1;
  const int status = status_of_child([&] {
    if (shared_variable != 1 || local != 1 || *heap != 1) return 1;
    shared_variable = local = *heap = 2;
    return shared_variable + local + *heap == 6 ? 0 : 2;
  });
  check_equal("a child has its own memory", status, 0);
  check("its writes are not the parent's", shared_variable == 1 && local == 1 && *heap == 1);

  int ends[2];
  pipe(ends);
  const pid_t child = fork();
  if (child == 0) {
    char c;
    read(ends[0], &c, 1);
    _exit(shared_variable == 1 ? 0 : 1);
  }
  shared_variable = 5;
  write(ends[1], "x", 1);
  int seen;
  waitpid(child, &seen, 0);
  check_equal("the parent's writes are not the child's", seen, 0);
  shared_variable = 1;

  // The kernel writes for the child: that must copy, too.
  const int zero = open("/dev/zero", O_RDONLY);
  check_equal("read into a shared page", status_of_child([&] {
                return read(zero, &shared_variable, sizeof shared_variable) != 4 || shared_variable;
              }),
              0);
  check("leaves the parent's alone", shared_variable == 1);
  close(zero);

  for (int& word : large_array) word = 7;
  check_equal("many shared pages", status_of_child([] {
                for (int& word : large_array) word = 8;
                return status_of_child([] { return large_array[1000] == 8 ? 0 : 1; });
              }),
              0);
  check("stay the parent's", large_array[0] == 7 && large_array[64 * 1024 - 1] == 7);
}

void test_waitpid() {
  int status = 0;
  check_errno("nobody to wait for", waitpid(-1, &status, 0), ECHILD);
  const pid_t sleeper = fork();
  if (sleeper == 0) {
    usleep(200000);
    _exit(42);
  }
  check("WNOHANG does not wait", waitpid(sleeper, &status, WNOHANG) == 0);
  check_errno("nor for strangers", waitpid(1, &status, WNOHANG), ECHILD);
  check("waitpid by number", waitpid(sleeper, &status, 0) == sleeper);
  check("tells the exit code", WIFEXITED(status) && WEXITSTATUS(status) == 42);
  check_errno("only once", waitpid(sleeper, &status, 0), ECHILD);
  check_errno("unknown options", waitpid(-1, &status, 0x100), EINVAL);

  const pid_t first = fork();
  if (first == 0) _exit(1);
  const pid_t second = fork();
  if (second == 0) _exit(2);
  check("out of order", waitpid(second, &status, 0) == second && WEXITSTATUS(status) == 2);
  check("any child", wait(&status) == first && WEXITSTATUS(status) == 1);
  check_equal("the father's number",
              status_of_child([self = getpid()] { return getppid() == self ? 0 : 1; }), 0);
}

void test_ignored_children() {
  signal(SIGCHLD, SIG_IGN);
  const pid_t child = fork();
  if (child == 0) {
    usleep(50000);
    _exit(0);
  }
  int status = 0;
  check_errno("no zombie is left to a father that ignores SIGCHLD", waitpid(child, &status, 0),
              ECHILD);
  for (int i = 0; i < 500 && kill(child, 0) == 0; ++i) usleep(10000);
  check_errno("nor, a moment later, the process", kill(child, 0), ESRCH);
  signal(SIGCHLD, SIG_DFL);
  check_equal("a father that does not is told", status_of_child([] { return 3; }), 3 << 8);
}

void test_orphans() {
  int ends[2];
  pipe(ends);
  status_of_child([&] {
    if (fork() == 0) {
      while (getppid() != 1) usleep(10000);
      const char adopted = 1;
      write(ends[1], &adopted, 1);
      _exit(0);
    }
    return 0;
  });
  char adopted = 0;
  read(ends[0], &adopted, 1);
  check("process 1 adopts orphans", adopted == 1);
  close(ends[0]);
  close(ends[1]);
}

void test_many() {
  int born = 0;
  while (born < 200) {
    fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) _exit(7);
    if (child < 0) break;
    ++born;
  }
  check("forks end with EAGAIN", born > 20 && born < 200 && errno == EAGAIN);
  int buried = 0, status;
  while (wait(&status) > 0) buried += WEXITSTATUS(status) == 7;
  check_equal("and all are buried", buried, born);
  check_equal("then there is room again", status_of_child([] { return 0; }), 0);
}

int deep(int depth) {
  volatile char room[1024];
  room[0] = 1;
  return depth == 0 ? 0 : deep(depth - 1) + room[0];
}

void test_memory() {
  check_equal("a deep stack", deep(4000), 4000);
  char* const before = static_cast<char*>(sbrk(0));
  char* const grown = static_cast<char*>(sbrk(1 << 20));
  check("brk grows", grown == before && sbrk(0) == before + (1 << 20));
  bool zeros = true;
  for (int i = 0; i < 1 << 20; i += 4096) zeros = zeros && grown[i] == 0;
  memset(grown, 1, 1 << 20);
  check("new memory is zero", zeros);
  sbrk(-(1 << 20));
  check("brk shrinks", sbrk(0) == before);
  sbrk(1 << 20);
  check("what comes back is zero again", grown[4096] == 0);
  sbrk(-(1 << 20));
  const long at = raw_system_call(abi::syscall::brk, 0);
  check("brk refuses the kernel",
        raw_system_call(abi::syscall::brk, static_cast<long>(0x80000000u)) == at);
  check("brk refuses the program's own", raw_system_call(abi::syscall::brk, 0x00400000) == at);
  check("brk refuses the stack", raw_system_call(abi::syscall::brk, 0x7FFFE000) == at);
}

void test_groups() {
  check_equal("setsid makes a leader", status_of_child([] {
                const pid_t self = getpid();
                if (setsid() != self || getpgrp() != self || getpgid(0) != self) return 1;
                return setsid() == -1 && errno == EPERM ? 0 : 2;
              }),
              0);
  check_equal("a child is in its father's group",
              status_of_child([group = getpgrp()] { return getpgrp() == group ? 0 : 1; }), 0);
  int ends[2];
  pipe(ends);
  const pid_t child = fork();
  if (child == 0) {
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    execl("/bin/sleep", "sleep", "100", nullptr);
  }
  close(ends[1]);
  char c;
  read(ends[0], &c, 1);  // ends when the child has executed its program
  close(ends[0]);
  check_errno("not when it has executed a program", setpgid(child, 0), EACCES);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  check_errno("setpgid of a stranger", setpgid(1, 0), ESRCH);
  check_errno("setpgid to a group that is not there", setpgid(0, 30000), EPERM);
}

void test_clocks() {
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  usleep(50000);
  clock_gettime(CLOCK_MONOTONIC, &b);
  const long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
  check("a sleep takes its time", ms >= 50 && ms < 5000);
  clock_gettime(CLOCK_REALTIME, &a);
  check("the clocks agree", a.tv_sec - time(nullptr) <= 0 && time(nullptr) - a.tv_sec <= 1);
  check_errno("an unknown clock", clock_gettime(77, &a), EINVAL);
  const struct timespec bad = {0, 1000000000};
  check_errno("too many nanoseconds", nanosleep(&bad, nullptr), EINVAL);
}

}  // namespace

int main() {
  test_copy_on_write();
  test_waitpid();
  test_ignored_children();
  test_orphans();
  test_many();
  test_memory();
  test_groups();
  test_clocks();
  finish_checks();
}
