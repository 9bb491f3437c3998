// Every system call that takes a pointer is given bad ones: each time the answer is EFAULT.
#include <fcntl.h>
#include <sys/stat.h>

#include "user/libc/syscall.h"
#include "user/tests/check.h"

namespace {

using abi::syscall;

int zero, null_device, directory, terminal;
uint32_t good[32];

long text(const char* s) { return reinterpret_cast<long>(s); }
long memory() { return reinterpret_cast<long>(good); }

struct probe {
  const char* name;
  bool null_allowed;  // null means something, so it is no bad pointer here
  bool written;       // the kernel writes through it: read-only memory is bad too
  long (*call)(long pointer);
};

const probe PROBES[] = {
    {"read", false, true, [](long p) { return raw_system_call(syscall::read, zero, p, 16); }},
    {"write", false, false,
     [](long p) { return raw_system_call(syscall::write, null_device, p, 16); }},
    {"open", false, false, [](long p) { return raw_system_call(syscall::open, p, 0); }},
    {"creat", false, false, [](long p) { return raw_system_call(syscall::creat, p, 0644); }},
    {"waitpid", true, true, [](long p) { return raw_system_call(syscall::waitpid, -1, p, 0); }},
    {"link from", false, false,
     [](long p) { return raw_system_call(syscall::link, p, text("/tmp/x")); }},
    {"link to", false, false,
     [](long p) { return raw_system_call(syscall::link, text("/etc/rc"), p); }},
    {"unlink", false, false, [](long p) { return raw_system_call(syscall::unlink, p); }},
    {"execve path", false, false, [](long p) { return raw_system_call(syscall::execve, p, 0, 0); }},
    {"execve argv", true, false,
     [](long p) { return raw_system_call(syscall::execve, text("/bin/sh"), p, 0); }},
    {"execve envp", true, false,
     [](long p) { return raw_system_call(syscall::execve, text("/bin/sh"), 0, p); }},
    {"execve string", true, false,
     [](long p) {
       good[0] = static_cast<uint32_t>(p);
       good[1] = 0;
       return raw_system_call(syscall::execve, text("/bin/sh"), memory(), 0);
     }},
    {"chdir", false, false, [](long p) { return raw_system_call(syscall::chdir, p); }},
    {"time", true, true, [](long p) { return raw_system_call(syscall::time, p); }},
    {"stime", false, false, [](long p) { return raw_system_call(syscall::stime, p); }},
    {"mknod", false, false, [](long p) { return raw_system_call(syscall::mknod, p, 0100644, 0); }},
    {"chmod", false, false, [](long p) { return raw_system_call(syscall::chmod, p, 0644); }},
    {"mount device", false, false,
     [](long p) { return raw_system_call(syscall::mount, p, text("/mnt"), 0, 0, 0); }},
    {"mount directory", false, false,
     [](long p) { return raw_system_call(syscall::mount, text("/dev/sda"), p, 0, 0, 0); }},
    {"mount type", true, false,
     [](long p) {
       return raw_system_call(syscall::mount, text("/dev/sda"), text("/mnt"), p, 0, 0);
     }},
    {"umount", false, false, [](long p) { return raw_system_call(syscall::umount, p); }},
    {"umount2", false, false, [](long p) { return raw_system_call(syscall::umount2, p, 0); }},
    {"utime path", false, false, [](long p) { return raw_system_call(syscall::utime, p, 0); }},
    {"utime times", true, false,
     [](long p) { return raw_system_call(syscall::utime, text("/tmp"), p); }},
    {"access", false, false, [](long p) { return raw_system_call(syscall::access, p, 0); }},
    {"rename from", false, false,
     [](long p) { return raw_system_call(syscall::rename, p, text("/tmp/x")); }},
    {"rename to", false, false,
     [](long p) { return raw_system_call(syscall::rename, text("/etc/rc"), p); }},
    {"mkdir", false, false, [](long p) { return raw_system_call(syscall::mkdir, p, 0755); }},
    {"rmdir", false, false, [](long p) { return raw_system_call(syscall::rmdir, p); }},
    {"pipe", false, true, [](long p) { return raw_system_call(syscall::pipe, p); }},
    {"times", true, true, [](long p) { return raw_system_call(syscall::times, p); }},
    {"ioctl get", false, true,
     [](long p) { return raw_system_call(syscall::ioctl, terminal, abi::tcgets, p); }},
    {"ioctl set", false, false,
     [](long p) { return raw_system_call(syscall::ioctl, terminal, abi::tcsets, p); }},
    {"sigaction new", true, false,
     [](long p) { return raw_system_call(syscall::sigaction, abi::sigusr1, p, 0); }},
    {"sigaction old", true, true,
     [](long p) { return raw_system_call(syscall::sigaction, abi::sigusr1, 0, p); }},
    {"sigprocmask new", true, false,
     [](long p) { return raw_system_call(syscall::sigprocmask, 0, p, 0); }},
    {"sigprocmask old", true, true,
     [](long p) { return raw_system_call(syscall::sigprocmask, 0, 0, p); }},
    {"sigpending", false, true, [](long p) { return raw_system_call(syscall::sigpending, p); }},
    {"truncate", false, false, [](long p) { return raw_system_call(syscall::truncate, p, 0); }},
    {"statfs path", false, false,
     [](long p) { return raw_system_call(syscall::statfs, p, memory()); }},
    {"statfs buffer", false, true,
     [](long p) { return raw_system_call(syscall::statfs, text("/"), p); }},
    {"syslog", false, true, [](long p) { return raw_system_call(syscall::syslog, 3, p, 100); }},
    {"stat path", false, false, [](long p) { return raw_system_call(syscall::stat, p, memory()); }},
    {"stat buffer", false, true,
     [](long p) { return raw_system_call(syscall::stat, text("/"), p); }},
    {"lstat path", false, false,
     [](long p) { return raw_system_call(syscall::lstat, p, memory()); }},
    {"lstat buffer", false, true,
     [](long p) { return raw_system_call(syscall::lstat, text("/"), p); }},
    {"fstat", false, true, [](long p) { return raw_system_call(syscall::fstat, zero, p); }},
    {"getdents", false, true,
     [](long p) { return raw_system_call(syscall::getdents, directory, p, 512); }},
    {"nanosleep", false, false, [](long p) { return raw_system_call(syscall::nanosleep, p, 0); }},
    {"getcwd", false, true, [](long p) { return raw_system_call(syscall::getcwd, p, 64); }},
    {"clock_gettime", false, true,
     [](long p) { return raw_system_call(syscall::clock_gettime, 1, p); }},
};

struct bad_pointer {
  const char* name;
  long address;
  bool readable;
};

// The page behind this one is not mapped; the pointer is three bytes before the end of this one.
long last_bytes_of_memory() {
  char* const end = static_cast<char*>(sbrk(0));
  const long aligned = (reinterpret_cast<long>(end) + 4095) & ~4095l;
  sbrk(static_cast<int>(aligned - reinterpret_cast<long>(end)) + 4096);
  char* const last = reinterpret_cast<char*>(aligned) + 4093;
  for (int i = 0; i < 3; ++i) last[i] = 'x';
  return reinterpret_cast<long>(last);
}

void try_all(const bad_pointer& bad) {
  for (const probe& p : PROBES) {
    if (bad.address == 0 && p.null_allowed) continue;
    if (bad.readable && !p.written) continue;
    const long answer = p.call(bad.address);
    if (answer != -EFAULT) printf("  %s answered %ld\n", p.name, answer);
    char name[80];
    snprintf(name, sizeof name, "%s with %s", p.name, bad.name);
    check(name, answer == -EFAULT);
  }
}

}  // namespace

int main() {
  zero = open("/dev/zero", O_RDONLY);
  null_device = open("/dev/null", O_WRONLY);
  directory = open("/", O_RDONLY);
  terminal = open("/dev/console", O_RDWR);
  const bad_pointer bad[] = {
      {"null", 0, false},
      {"an unmapped page", 0x10000000, false},
      {"the kernel's first byte", static_cast<long>(0x80000000u), false},
      {"a kernel address", static_cast<long>(0x80100000u), false},
      {"the last page", static_cast<long>(0xFFFFFFF0u), false},
      {"the end of user memory", 0x7FFFFFFF, false},
      {"read-only memory", 0x00400000, true},
      {"memory that ends too soon", last_bytes_of_memory(), false},
  };
  for (const bad_pointer& b : bad) try_all(b);

  check("a count over the end of user memory",
        raw_system_call(syscall::read, zero, memory(), 0x7FFFF000) == -EFAULT);
  check("a count that wraps around",
        raw_system_call(syscall::write, null_device, memory(), -1) == -EFAULT);
  check("no bytes need no memory", raw_system_call(syscall::write, null_device, 0, 0) == 0);
  finish_checks();
}
