// Random system calls with random, mostly bad arguments. Whatever their results are, the kernel
// goes on, and nothing that the calls did disturbs the next program.
//
// `monkey SEED ROUNDS` makes other calls; `monkey SEED ROUNDS DIRECTORY` makes them there, and says
// nothing. Every round is a child of its own, because the calls may
// destroy its memory, close its files or end it.
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
  if (call == syscall::chdir || call == syscall::chmod) return !up;
  if (call == syscall::mount || call == syscall::umount) return false;
  return true;
}

// Kills a child that waits for something that never comes, also when it blocks signals.
void watch(pid_t child) {
  for (int i = 0; i < 30; ++i) {
    if (waitpid(child, nullptr, WNOHANG) != 0) return;
    usleep(10000);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

int play(uint32_t seed) {
  state = seed * 2654435761u + 1;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  const uint32_t calls = 50 + below(200);
  for (uint32_t n = 0; n < calls; ++n) {
    const syscall call = CALLS[below(sizeof CALLS / sizeof *CALLS)];
    uint32_t a[5];
    for (uint32_t& argument : a) argument = random_argument();
    if (call == syscall::mknod) a[1] = below(2) ? 0100644 : 0010644, a[2] = 0;
    if (call == syscall::alarm) a[0] = 1 + below(2);
    if (!harmless(call, a)) continue;
    raw_system_call(call, static_cast<long>(a[0]), static_cast<long>(a[1]), static_cast<long>(a[2]),
                    static_cast<long>(a[3]), static_cast<long>(a[4]));
  }
  return 0;
}

void remove_all(const char* path) {
  char command[160];
  snprintf(command, sizeof command, "rm -rf %s", path);
  status_of_child([&] {
    execl("/bin/sh", "sh", "-c", command, nullptr);
    return 1;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t first = argc > 1 ? static_cast<uint32_t>(atoi(argv[1])) : 1;
  const uint32_t rounds = argc > 2 ? static_cast<uint32_t>(atoi(argv[2])) : 60;
  const char* const playground = argc > 3 ? argv[3] : "/tmp/monkey";
  mkdir(playground, 0755);
  if (chdir(playground) != 0) return 1;
  for (uint32_t seed = first; seed < first + rounds; ++seed) {
    if (argc == 3) printf("seed %u\n", seed);
    fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) _exit(play(seed));
    watch(child);
  }
  chdir("/");
  remove_all(playground);
  check("the kernel goes on", getpid() > 0);
  check_equal("programs still run", status_of_child([] {
                execl("/bin/echo", "echo", nullptr);
                return 1;
              }),
              0);
  finish_checks();
}
