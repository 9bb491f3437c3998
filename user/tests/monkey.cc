// Random system calls with random, mostly bad arguments. Whatever their results are, the kernel
// goes on, and nothing that the calls did disturbs the next program.
//
// `monkey SEED ROUNDS` makes other calls. `monkey SEED ROUNDS DIRECTORY` makes them there, until
// its rounds are over or SIGTERM comes, and prints only how many:
//
//   monkey: N calls
//
// Every round is a child of its own, because the calls may destroy its memory, close its files or
// end it. The calls of a child that did not come to its end are not counted.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

using abi::syscall;

uint32_t state;

uint32_t next() {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

uint32_t below(uint32_t limit) { return next() % limit; }

// The calls that are made: all but those that end the test or make it wait.
constexpr syscall CALLS[] = {
    syscall::read,          syscall::write,    syscall::open,      syscall::close,
    syscall::creat,         syscall::link,     syscall::unlink,    syscall::execve,
    syscall::chdir,         syscall::time,     syscall::mknod,     syscall::chmod,
    syscall::lseek,         syscall::getpid,   syscall::mount,     syscall::umount,
    syscall::alarm,         syscall::utime,    syscall::access,    syscall::rename,
    syscall::mkdir,         syscall::rmdir,    syscall::dup,       syscall::pipe,
    syscall::times,         syscall::brk,      syscall::signal,    syscall::umount2,
    syscall::ioctl,         syscall::fcntl,    syscall::setpgid,   syscall::umask,
    syscall::dup2,          syscall::getppid,  syscall::getpgrp,   syscall::setsid,
    syscall::sigaction,     syscall::sgetmask, syscall::ssetmask,  syscall::truncate,
    syscall::ftruncate,     syscall::statfs,   syscall::syslog,    syscall::stat,
    syscall::lstat,         syscall::fstat,    syscall::fsync,     syscall::sigprocmask,
    syscall::getpgid,       syscall::getdents, syscall::fdatasync, syscall::getcwd,
    syscall::clock_gettime,
};

// The names that are used: some exist and some do not; no other program uses them.
constexpr const char* NAMES[] = {"a",  "b",     "dir",      "dir/a", "dir/../b", ".",
                                 "..", "dir/.", "none/way", "a/b",   "",         "dir/dir2"};

uint32_t memory[2048];

uint32_t random_argument() {
  switch (below(9)) {
    case 0:
    case 1:
    case 2: return reinterpret_cast<uintptr_t>(NAMES[below(sizeof NAMES / sizeof *NAMES)]);
    case 3: return reinterpret_cast<uintptr_t>(memory) + below(sizeof memory);
    case 4: return below(12);
    case 5: return below(8192);
    case 6: return 0u - below(20);
    case 7: return 0x80000000u + below(0x10000) - 0x8000;
    default: return next();
  }
}

// Calls on the directories above, and on devices, are not made.
bool harmless(syscall call, const uint32_t* arguments) {
  const char* const name = reinterpret_cast<const char*>(arguments[0]);
  const bool up = name == NAMES[6];
  if (call == syscall::chdir || call == syscall::chmod || call == syscall::umount2) return !up;
  if (call == syscall::mount || call == syscall::umount) return false;
  return true;
}

// Waits for a child and returns how many calls it made. A child that waits for something that never
// comes is killed, also when it blocks signals.
uint32_t watch(pid_t child) {
  int status = 0;
  for (int i = 0; i < 30; ++i) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == 0) {
      usleep(10000);
      continue;
    }
    const bool by_itself = ended == child && WIFEXITED(status);
    return by_itself ? static_cast<uint32_t>(WEXITSTATUS(status)) : 0;
  }
  kill(child, SIGKILL);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return 0;
}

// The names of programs and directories that stand at the end of the stack, where random addresses
// point to: the arguments and the environment. A call would change the file of that name.
void forget_names(char** argv) {
  char** const lists[] = {argv, environ};
  for (char** list : lists)
    for (; *list; ++list) memset(*list, 0, strlen(*list));
}

// Whether no name is left there, from the first argument to the end of the stack.
bool are_forgotten(char** argv) {
  const char* const end = reinterpret_cast<const char*>(uintptr_t{0x7FFFF000});
  for (const char* at = argv[0]; at < end; ++at)
    if (*at == '/') return false;
  return true;
}

// Returns how many calls were made. This is the exit code, so it is less than 256.
int play(uint32_t seed) {
  state = seed * 2654435761u + 1;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  const uint32_t calls = 50 + below(200);
  int made = 0;
  for (uint32_t n = 0; n < calls; ++n) {
    const syscall call = CALLS[below(sizeof CALLS / sizeof *CALLS)];
    uint32_t a[5];
    for (uint32_t& argument : a) argument = random_argument();
    if (call == syscall::mknod) a[1] = below(2) ? 0100644 : 0010644, a[2] = 0;
    if (call == syscall::alarm) a[0] = 1 + below(2);
    if (!harmless(call, a)) continue;
    raw_system_call(call, static_cast<long>(a[0]), static_cast<long>(a[1]), static_cast<long>(a[2]),
                    static_cast<long>(a[3]), static_cast<long>(a[4]));
    ++made;
  }
  return made;
}

void remove_all(const char* path) {
  char command[160];
  snprintf(command, sizeof command, "rm -rf %s", path);
  status_of_child([&] {
    execl("/bin/sh", "sh", "-c", command, nullptr);
    return 1;
  });
}

volatile int over = 0;

// Removes what the calls have made, before it fills the disk. False at SIGTERM.
bool begin_anew(const char* playground) {
  chdir("/");
  remove_all(playground);
  for (mkdir(playground, 0755); chdir(playground) != 0; mkdir(playground, 0755)) {
    if (over) return false;
    usleep(10000);
  }
  return true;
}

// Lets SIGTERM end the test between two rounds. A child has the default action.
void end_at_sigterm() {
  const struct sigaction action = {[](int) { over = 1; }, 0, 0, nullptr};
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t first = argc > 1 ? static_cast<uint32_t>(atoi(argv[1])) : 1;
  const uint32_t rounds = argc > 2 ? static_cast<uint32_t>(atoi(argv[2])) : 60;
  const char* const playground = argc > 3 ? argv[3] : "/tmp/monkey";
  mkdir(playground, 0755);
  if (chdir(playground) != 0) return 1;
  if (argc > 3) end_at_sigterm();
  uint32_t calls = 0;
  for (uint32_t seed = first; !over && seed < first + rounds; ++seed) {
    if (seed % 256 == 0 && !begin_anew(playground)) break;
    if (argc == 3) printf("seed %u\n", seed);
    fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGTERM, SIG_DFL);
      forget_names(argv);
      _exit(play(seed));
    }
    if (child > 0) calls += watch(child);
  }
  chdir("/");
  remove_all(playground);
  if (argc > 3) return printf("monkey: %u calls\n", calls), 0;
  check("some thousand calls were made", calls > 1000);
  check_equal("they met no name of a file that is not theirs", status_of_child([&] {
                forget_names(argv);
                return !are_forgotten(argv);
              }),
              0);
  check("the kernel goes on", getpid() > 0);
  check_equal("programs still run", status_of_child([] {
                execl("/bin/echo", "echo", nullptr);
                return 1;
              }),
              0);
  finish_checks();
}
