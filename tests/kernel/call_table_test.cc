// The table of system calls: every number of lib/abi.h reaches its function. Each call is made
// through int 0x80 with arguments for which its answer, or what it does, is its own.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "hal/clock.h"
#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }

// Remembers which numbers a test has called.
std::set<u32> called;
i32 make(call which, u32 a = 0, u32 b = 0, u32 c = 0, u32 d = 0) {
  called.insert(static_cast<u32>(which));
  return user::call(which, a, b, c, d);
}
abi::stat stat_of(const char* path) {
  const u32 to = user::room(sizeof(abi::stat));
  EXPECT_EQ(user::call(call::stat, user::text(path), to), 0) << path;
  return user::get<abi::stat>(to);
}
bool exists(const char* path) { return user::call(call::access, user::text(path), 0) == 0; }
std::string text_at(u32 at, i32 size) {
  std::string found(static_cast<size_t>(std::max(size, 0)), '\0');
  user::get_bytes(at, found.data(), found.size());
  return found;
}

void call_files() {
  const u32 path = user::text("/tmp/f"), link = user::text("/tmp/l"), to = user::room(64);
  EXPECT_EQ(make(call::creat, path, 0640), 0);
  EXPECT_EQ(stat_of("/tmp/f").mode, abi::s_ifreg | 0640);
  EXPECT_EQ(make(call::write, 0, user::text("hello"), 5), 5);
  EXPECT_EQ(make(call::open, path, abi::o_rdwr), 1);
  EXPECT_EQ(make(call::lseek, 1, 1, abi::seek_set), 1);
  EXPECT_EQ(make(call::read, 1, to, 3), 3);
  EXPECT_EQ(text_at(to, 3), "ell");
  EXPECT_EQ(make(call::ftruncate, 1, 4), 0);
  EXPECT_EQ(stat_of("/tmp/f").size, 4u);
  EXPECT_EQ(make(call::truncate, path, 2), 0);
  EXPECT_EQ(stat_of("/tmp/f").size, 2u);
  EXPECT_EQ(make(call::truncate, path, 0), 0);
  EXPECT_EQ(stat_of("/tmp/f").size, 0u);
  EXPECT_EQ(make(call::ftruncate, 1, 2), 0);
  EXPECT_EQ(make(call::truncate, path, 0x8000'0000), minus(error::einval));
  EXPECT_EQ(make(call::ftruncate, 1, ~0u), minus(error::einval));
  EXPECT_EQ(make(call::fsync, 1), 0);
  EXPECT_EQ(make(call::fdatasync, 1), 0);
  EXPECT_EQ(make(call::fsync, 9), minus(error::ebadf));
  EXPECT_EQ(make(call::sync), 0);
  EXPECT_EQ(make(call::dup, 1), 2);
  EXPECT_EQ(make(call::dup2, 1, 20), 20);
  EXPECT_EQ(make(call::fcntl, 1, abi::f_dupfd, 10), 10);
  EXPECT_EQ(make(call::fcntl, 1, abi::f_getfl), static_cast<i32>(abi::o_rdwr));
  EXPECT_EQ(make(call::ioctl, 1, abi::tcgets, to), minus(error::enotty));
  EXPECT_EQ(make(call::pipe, to), 0);
  EXPECT_EQ((user::get<std::array<u32, 2>>(to)), (std::array<u32, 2>{3, 4}));
  for (const u32 fd : {0u, 1u, 2u, 3u, 4u, 10u, 20u}) EXPECT_EQ(make(call::close, fd), 0);
  EXPECT_EQ(make(call::close, 1), minus(error::ebadf));
  EXPECT_EQ(make(call::chmod, path, 0404), 0);
  EXPECT_EQ(stat_of("/tmp/f").mode, abi::s_ifreg | 0404);
  EXPECT_EQ(make(call::link, path, link), 0);
  EXPECT_EQ(stat_of("/tmp/f").nlink, 2u);
  EXPECT_EQ(make(call::unlink, path), 0);
  EXPECT_FALSE(exists("/tmp/f"));
  EXPECT_EQ(make(call::rename, link, path), 0);
  EXPECT_TRUE(exists("/tmp/f"));
  EXPECT_FALSE(exists("/tmp/l"));
  EXPECT_EQ(make(call::access, path, 0), 0);
  EXPECT_EQ(make(call::access, path, 7), minus(error::eacces)) << "it is no program";
  EXPECT_EQ(make(call::access, user::text("/tmp"), 7), 0);
  EXPECT_EQ(make(call::access, path, 8), minus(error::einval));
  EXPECT_EQ(make(call::access, link, 0), minus(error::enoent));
  user::put(to, std::array<u32, 2>{111, 222});
  EXPECT_EQ(make(call::utime, path, to), 0);
  EXPECT_EQ(stat_of("/tmp/f").mtime, 222u) << "the second of the two times";
  EXPECT_EQ(make(call::utime, path, 0), 0);
  EXPECT_EQ(stat_of("/tmp/f").mtime, current_time());
  EXPECT_EQ(make(call::utime, path, pc::DATA_END - 4), minus(error::efault));
  EXPECT_EQ(user::call(call::unlink, path), 0);
}

void call_stats() {
  const u32 root = user::text("/"), to = user::room(64);
  for (const call each : {call::stat, call::lstat}) {
    user::put(to, abi::stat{});
    EXPECT_EQ(make(each, root, to), 0);
    EXPECT_EQ(user::get<abi::stat>(to).ino, 1u);
    EXPECT_EQ(make(each, root, pc::TEXT_START), minus(error::efault));
    EXPECT_EQ(make(each, user::text("/none"), to), minus(error::enoent));
  }
  EXPECT_EQ(user::open("/"), 0);
  user::put(to, abi::stat{});
  EXPECT_EQ(make(call::fstat, 0, to), 0);
  EXPECT_EQ(user::get<abi::stat>(to).ino, 1u);
  EXPECT_EQ(make(call::fstat, 0, pc::TEXT_START), minus(error::efault));
  EXPECT_EQ(make(call::fstat, 1, to), minus(error::ebadf));
  EXPECT_EQ(make(call::statfs, root, to), 0);
  EXPECT_EQ(user::get<abi::statfs>(to).namelen, 30u);
  EXPECT_EQ(make(call::statfs, root, pc::TEXT_START), minus(error::efault));
  const u32 entries = user::room(512);
  EXPECT_GT(make(call::getdents, 0, entries, 512), 0);
  EXPECT_EQ(user::get<abi::dirent>(entries).ino, 1u) << "the entry .";
  EXPECT_EQ(make(call::getdents, 0, pc::TEXT_START, 512), minus(error::efault));
  user::close(0);
}

void call_names() {
  const u32 directory = user::text("/tmp/d"), node = user::text("/tmp/n"), to = user::room(1024);
  EXPECT_EQ(make(call::umask, 0xFFFF'F017), 022) << "with which process 1 begins";
  EXPECT_EQ(make(call::mkdir, directory, 0777), 0);
  EXPECT_EQ(stat_of("/tmp/d").mode, abi::s_ifdir | 0750);
  EXPECT_EQ(make(call::umask, 0), 027);
  EXPECT_EQ(make(call::chdir, directory), 0);
  EXPECT_EQ(make(call::getcwd, to, 1024), 7);
  EXPECT_EQ(text_at(to, 7), std::string("/tmp/d\0", 7));
  EXPECT_EQ(make(call::chdir, user::text("/")), 0);
  EXPECT_EQ(make(call::rmdir, directory), 0);
  EXPECT_FALSE(exists("/tmp/d"));
  EXPECT_EQ(make(call::mknod, node, abi::s_ifchr | 0600, 0x0105), 0);
  EXPECT_EQ(stat_of("/tmp/n").rdev, 0x0105u);
  EXPECT_EQ(make(call::mount, node, user::text("/tmp"), 0, 0), minus(error::enotblk));
  EXPECT_EQ(make(call::umount, user::text("/tmp")),
            user::call(call::umount2, user::text("/tmp"), 0));
  EXPECT_EQ(make(call::umount, user::text("/none")), minus(error::enoent));
  EXPECT_EQ(make(call::umount2, user::text("/none"), abi::mnt_force), minus(error::enoent));
  EXPECT_EQ(make(call::umount2, user::text("/none"), 2), minus(error::einval));
  EXPECT_EQ(make(call::unlink, node), 0);
}

void call_processes() {
  const u32 to = user::room(16);
  EXPECT_EQ(make(call::getpid), 1);
  EXPECT_EQ(make(call::getppid), 0);
  EXPECT_EQ(make(call::waitpid, ~0u, 0, 0), minus(error::echild));
  EXPECT_EQ(make(call::execve, user::text("/none"), 0, 0), minus(error::enoent));
  EXPECT_EQ(make(call::brk, 0), static_cast<i32>(pc::HEAP_START));
  EXPECT_EQ(make(call::kill, 30'001, 0), minus(error::esrch));
  called.insert({static_cast<u32>(call::fork), static_cast<u32>(call::exit)});
  const int child = user::fork([=] {
    EXPECT_EQ(make(call::getppid), 1);
    EXPECT_EQ(make(call::getpgrp), 1);
    EXPECT_EQ(make(call::setpgid, 0, 0), 0);
    EXPECT_EQ(make(call::getpgid, 0), user::pid());
    EXPECT_EQ(make(call::getpgid, 1), 1);
    EXPECT_EQ(make(call::setsid), minus(error::eperm));
    EXPECT_EQ(make(call::setpgid, 0, 1), 0);
    EXPECT_EQ(make(call::setsid), user::pid());
    EXPECT_EQ(make(call::alarm, 1), 0);
    EXPECT_EQ(make(call::signal, abi::sigalrm, user::handler([](u32) {}), 0), 0);
    EXPECT_EQ(make(call::pause), minus(error::eintr));
    EXPECT_EQ(make(call::ssetmask, 5), 0);
    EXPECT_EQ(make(call::sgetmask), 5);
    user::kill(user::pid(), abi::sighup);
    EXPECT_EQ(make(call::sigpending, to), 0);
    EXPECT_EQ(user::get<u32>(to), signal_bit(abi::sighup));
    EXPECT_EQ(make(call::sigprocmask, abi::sig_block, 0, to), 0);
    EXPECT_EQ(user::get<u32>(to), 5u);
    EXPECT_EQ(make(call::sigaction, abi::sighup, 0, to), 0);
    EXPECT_EQ(user::get<u32>(to), abi::sig_dfl);
    user::exit(9);
  });
  u32 status = 0;
  EXPECT_EQ(user::waitpid(child, &status), child);
  called.insert(static_cast<u32>(call::sigreturn));  // the return from the handler
  EXPECT_EQ(status, 9u << 8);
}

void call_time() {
  const u32 to = user::room(16);
  EXPECT_EQ(static_cast<u32>(make(call::time, 0)), current_time());
  user::put<u32>(to, 1'000'000);
  EXPECT_EQ(make(call::stime, to), 0);
  EXPECT_EQ(current_time(), 1'000'000u);
  EXPECT_EQ(static_cast<u32>(make(call::times, 0)), jiffies);
  EXPECT_EQ(make(call::clock_gettime, abi::clock_realtime, to), 0);
  EXPECT_EQ(user::get<u32>(to), 1'000'000u);
  const instant begin = now();
  user::put(to, abi::timespec{0, 50'000'000});
  EXPECT_EQ(make(call::nanosleep, to, 0), 0);
  EXPECT_EQ((now() - begin).ns, duration{50_ms}.ns);
  EXPECT_EQ(make(call::syslog, 10, 0, 0), 32768);
  EXPECT_EQ(make(call::reboot, 1, 2, 3, 4), minus(error::einval));
}

TEST(system_call, every_number_reaches_its_function) {
  pc::machine machine({.audit = false});
  called.clear();
  machine.run([] {
    call_files();
    call_stats();
    call_names();
    call_processes();
    call_time();
    for (u32 number = 0; number < 300; ++number) {
      if (called.contains(number)) continue;
      EXPECT_EQ(user::call(static_cast<call>(number)), minus(error::enosys))
          << number << ": no row of this test calls it";
    }
    EXPECT_EQ(called.size(), 64u);
    pc::end_test();
  });
}

}  // namespace
