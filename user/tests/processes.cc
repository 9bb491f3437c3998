// Processes: fork with copy-on-write, exec of good and of hostile programs, waitpid, memory.
//
// Called with arguments it is its own helper: `processes echo A B` prints A and B, `processes fd N`
// tells whether descriptor N is open.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

constexpr const char* SELF = "/test/processes";
constexpr const char* BAD = "/tmp/bad-program";

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

// --- exec ---

int run(const char* path, char* const argv[], char* const envp[] = nullptr) {
  return status_of_child([&] {
    execve(path, argv, envp);
    return errno;
  });
}

int errno_of_exec(const char* path) {
  char* const argv[] = {const_cast<char*>("x"), nullptr};
  return WEXITSTATUS(run(path, argv));
}

void write_file(const char* path, const void* content, size_t size) {
  unlink(path);
  const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0755);
  write(fd, content, size);
  close(fd);
}

void test_exec_errors() {
  check_equal("exec of nothing", errno_of_exec("/bin/nothing"), ENOENT);
  check_equal("exec of a directory", errno_of_exec("/bin"), EACCES);
  check_equal("exec of a device", errno_of_exec("/dev/null"), EACCES);
  write_file(BAD, "garbage\n", 8);
  check_equal("exec of garbage", errno_of_exec(BAD), ENOEXEC);
  write_file(BAD, "", 0);
  check_equal("exec of an empty file", errno_of_exec(BAD), ENOEXEC);
  write_file(BAD, "#!", 2);
  check_equal("exec of half a script", errno_of_exec(BAD), ENOEXEC);
  write_file(BAD, "#!/bin/nothing\n", 15);
  check_equal("a script without its interpreter", errno_of_exec(BAD), ENOENT);
  write_file(BAD, "#!/tmp/bad-program\n", 19);
  check_equal("a script that interprets itself", errno_of_exec(BAD), ENOEXEC);
  chmod(BAD, 0644);
  check_equal("exec without permission", errno_of_exec(BAD), EACCES);
}

struct change {
  const char* name;
  unsigned offset, size;
  uint32_t value;
};

// The ELF header, then the first program header at 52.
const change HOSTILE[] = {
    {"another magic", 0, 4, 0x464C4500},
    {"64 bits", 4, 1, 2},
    {"big endian", 5, 1, 2},
    {"no executable", 16, 2, 3},
    {"another machine", 18, 2, 62},
    {"no program headers", 44, 2, 0},
    {"very many program headers", 44, 2, 0xFFFF},
    {"tiny program headers", 42, 2, 1},
    {"program headers past the end", 28, 4, 0x00FFFFFF},
    {"program headers at the end of the world", 28, 4, 0xFFFFFFF0},
    {"an entry in the kernel", 24, 4, 0x80100000},
    {"an entry at null", 24, 4, 0},
    {"an address in the kernel", 60, 4, 0x80000000},
    {"an address at null", 60, 4, 0},
    {"an address in the stack", 60, 4, 0x7FFF0000},
    {"more in the file than in memory", 68, 4, 0x7FFFFFFF},
    {"memory to the end of the world", 72, 4, 0xFFFFFFFF},
    {"memory up to the kernel", 72, 4, 0x7FC00000},
    {"an offset at the end of the world", 56, 4, 0xFFFFFFFF},
    {"a dynamic program", 52, 4, 3},
};

void test_hostile_programs() {
  static char image[16 * 1024];
  const int self = open(SELF, O_RDONLY);
  const ssize_t size = read(self, image, sizeof image);
  close(self);
  for (const change& c : HOSTILE) {
    char before[4];
    memcpy(before, image + c.offset, c.size);
    memcpy(image + c.offset, &c.value, c.size);
    write_file(BAD, image, static_cast<size_t>(size));
    memcpy(image + c.offset, before, c.size);
    char name[80];
    snprintf(name, sizeof name, "a program with %s", c.name);
    check_equal(name, errno_of_exec(BAD), ENOEXEC);
  }
  // Sound headers over a file that is cut off: it dies when it touches what is not there.
  write_file(BAD, image, 4096);
  char* const argv[] = {const_cast<char*>("x"), nullptr};
  const int status = run(BAD, argv);
  check("a program that is cut off", signal_of(status) != 0 || WEXITSTATUS(status) == ENOEXEC);
  unlink(BAD);
}

// What a program prints.
const char* output_of(const char* path, char* const argv[], char* const envp[] = nullptr) {
  static char text[512];
  int ends[2];
  pipe(ends);
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execve(path, argv, envp);
    _exit(1);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
    length += static_cast<size_t>(n);
  text[length] = 0;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return text;
}

void test_arguments() {
  char* const argv[] = {const_cast<char*>("zero"),      const_cast<char*>("echo"),
                        const_cast<char*>("one"),       const_cast<char*>(""),
                        const_cast<char*>("two words"), nullptr};
  char* const envp[] = {const_cast<char*>("COLOUR=blue"), nullptr};
  check("arguments and environment arrive",
        strcmp(output_of(SELF, argv, envp), "zero|one||two words|COLOUR=blue|") == 0);

  write_file(BAD, "#! /test/processes echo \nignored\n", 33);
  char* const script[] = {const_cast<char*>("replaced"), const_cast<char*>("last"), nullptr};
  check("a script gets its interpreter",
        strcmp(output_of(BAD, script), "/test/processes|/tmp/bad-program|last|") == 0);
  unlink(BAD);

  static char huge[200 * 1024];
  memset(huge, 'x', sizeof huge - 1);
  char* const too_long[] = {huge, nullptr};
  check_equal("one argument too long", WEXITSTATUS(run(SELF, too_long)), E2BIG);
  static char* many[50000];
  for (char*& p : many) p = const_cast<char*>("x");
  many[49999] = nullptr;
  check_equal("too many arguments", WEXITSTATUS(run(SELF, many)), E2BIG);
  huge[100 * 1024] = 0;
  char* const long_enough[] = {const_cast<char*>("x"), const_cast<char*>("length"), huge, nullptr};
  check("a long argument", strcmp(output_of(SELF, long_enough), "102400|") == 0);
}

void test_what_exec_keeps() {
  const int kept = open("/dev/null", O_RDONLY);
  const int closed = dup(kept);
  fcntl(closed, F_SETFD, FD_CLOEXEC);
  char number[16];
  char* const argv[] = {const_cast<char*>("x"), const_cast<char*>("fd"), number, nullptr};
  snprintf(number, sizeof number, "%d", kept);
  check_equal("exec keeps descriptors", WEXITSTATUS(run(SELF, argv)), 0);
  snprintf(number, sizeof number, "%d", closed);
  check_equal("but not those marked close-on-exec", WEXITSTATUS(run(SELF, argv)), 1);
  close(kept);
  close(closed);

  char* const ask[] = {const_cast<char*>("x"), const_cast<char*>("signals"), nullptr};
  check_equal("handlers are reset, ignored signals stay ignored", status_of_child([&] {
                struct sigaction handler = {[](int) {}, 0, 0, nullptr};
                sigaction(SIGUSR1, &handler, nullptr);
                struct sigaction ignore = {SIG_IGN, 0, 0, nullptr};
                sigaction(SIGUSR2, &ignore, nullptr);
                execve(SELF, ask, nullptr);
                return 99;
              }),
              0);
}

// --- memory ---

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

int help(int argc, char** argv) {
  if (strcmp(argv[1], "echo") == 0) {
    printf("%s|", argv[0]);
    for (int i = 2; i < argc; ++i) printf("%s|", argv[i]);
    for (char** e = environ; *e; ++e) printf("%s|", *e);
    return 0;
  }
  if (strcmp(argv[1], "length") == 0) return printf("%d|", static_cast<int>(strlen(argv[2]))) < 0;
  if (strcmp(argv[1], "fd") == 0) return fcntl(atoi(argv[2]), F_GETFD) < 0;
  struct sigaction one, two;
  sigaction(SIGUSR1, nullptr, &one);
  sigaction(SIGUSR2, nullptr, &two);
  return one.sa_handler != SIG_DFL || two.sa_handler != SIG_IGN;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) return help(argc, argv);
  test_copy_on_write();
  test_waitpid();
  test_orphans();
  test_many();
  test_exec_errors();
  test_hostile_programs();
  test_arguments();
  test_what_exec_keeps();
  test_memory();
  test_groups();
  test_clocks();
  finish_checks();
}
