// execve of scripts: the interpreter, its arguments, and what is no script.
#include <gtest/gtest.h>

#include "kernel/sched.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;

i32 minus(error e) { return -to_errno(e); }

std::vector<byte> script(std::string_view text) {
  const auto* const from = reinterpret_cast<const byte*>(text.data());
  return {from, from + text.size()};
}

void expect_script(std::string_view line, const std::vector<std::string>& expected) {
  user::make_file("/tmp/s", script(line));
  bool ran = false;
  user::install("/bin/p", PROGRAM, [&] {
    ran = true;
    EXPECT_EQ(user::arguments().argv, expected) << line;
    EXPECT_STREQ(current->comm.data(), "s");
  });
  const int child = user::fork([&] { user::execve("/tmp/s", {"zero", "one"}); });
  EXPECT_EQ(user::waitpid(child), child);
  EXPECT_TRUE(ran) << line;
}

TEST(exec, scripts) {
  pc::machine machine;
  machine.run([] {
    expect_script("#!/bin/p\n", {"/bin/p", "/tmp/s", "one"});
    expect_script("#! /bin/p  -x y \t\nrest", {"/bin/p", "-x y", "/tmp/s", "one"});
    user::make_file("/tmp/s", script("#!/bin/p\n"));
    const int child = user::fork([] { user::call(call::execve, user::text("/tmp/s"), 0, 0); });
    user::install("/bin/p", PROGRAM, [] {
      EXPECT_EQ(user::arguments().argv, (std::vector<std::string>{"/bin/p", "/tmp/s"}));
    });
    EXPECT_EQ(user::waitpid(child), child);
    for (const std::string_view bad : {"#!", "#!\n", "#! \t \n", "#!/bin/p"}) {
      user::make_file("/tmp/s", script(bad));
      EXPECT_EQ(user::execve("/tmp/s"), minus(error::enoexec)) << bad;
    }
    user::make_file("/tmp/s", script("#!/bin/none\n"));
    EXPECT_EQ(user::execve("/tmp/s"), minus(error::enoent));
    user::make_file("/tmp/s", script("#!/tmp/s\n"));
    EXPECT_EQ(user::execve("/tmp/s"), minus(error::enoexec)) << "a script is no interpreter";
    user::call(call::unlink, user::text("/tmp/s"));
    user::call(call::unlink, user::text("/bin/p"));
  });
}

TEST(exec, a_script_that_cannot_be_read) {
  pc::machine machine;
  pc::mounted_stick m(100);
  machine.run([&] {
    m.mount();
    user::install("/bin/p", PROGRAM, [] { user::exit(7); });
    user::make_file("/mnt/s", script("#!/bin/p\n"));
    m.umount();
    m.mount();
    EXPECT_EQ(user::call(call::access, user::text("/mnt/s"), 0), 0) << "so its inode is in memory";
    const int child = user::fork([&] {
      m.device().fail_reads(2);  // the read-ahead, and the read
      EXPECT_EQ(user::execve("/mnt/s"), minus(error::eio));
      user::execve("/mnt/s");
    });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(child, &status), child);
    EXPECT_EQ(status, 7u << 8);
    m.remove();
    user::call(call::unlink, user::text("/bin/p"));
  });
}

// The first line has to end within 128 bytes.
TEST(exec, a_script_line_at_its_limit) {
  pc::machine machine;
  machine.run([] {
    const auto line = [](size_t length) {
      return "#!/bin/p " + std::string(length - 10, 'x') + "\n";
    };
    expect_script(line(128), {"/bin/p", std::string(118, 'x'), "/tmp/s", "one"});
    user::make_file("/tmp/s", script(line(129)));
    EXPECT_EQ(user::execve("/tmp/s"), minus(error::enoexec));
    user::call(call::unlink, user::text("/tmp/s"));
    user::call(call::unlink, user::text("/bin/p"));
  });
}

}  // namespace
