// exec of good and of hostile programs: what it refuses, what it hands on, what it keeps.
//
// Called with arguments it is its own helper (help): `exec echo A B` prints its arguments and its
// environment, `exec length A` the length of A; `exec fd N` tells whether descriptor N is open,
// `exec signals` whether a handler was reset and an ignored signal is still ignored.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "user/tests/check.h"

namespace {

constexpr const char* SELF = "/test/exec";
constexpr const char* BAD = "/tmp/bad-program";

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

  write_file(BAD, "#! /test/exec echo \nignored\n", 28);
  char* const script[] = {const_cast<char*>("replaced"), const_cast<char*>("last"), nullptr};
  check("a script gets its interpreter",
        strcmp(output_of(BAD, script), "/test/exec|/tmp/bad-program|last|") == 0);
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
  test_exec_errors();
  test_hostile_programs();
  test_arguments();
  test_what_exec_keeps();
  finish_checks();
}
