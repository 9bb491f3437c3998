// A program that runs is not written, and a file that is written is not run (etxtbsy).
#include <gtest/gtest.h>

#include "lib/result.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;

i32 minus(error e) { return -to_errno(e); }
const i32 BUSY = minus(error::etxtbsy);

i32 truncate(std::string_view path) { return user::call(call::truncate, user::text(path), 0); }

// Every way to change the file gives the same answer; reading and removing are no change of it.
void expect_changes(std::string_view path, bool allowed) {
  const u32 ways[] = {abi::o_wronly, abi::o_rdwr, abi::o_wronly | abi::o_append,
                      abi::o_wronly | abi::o_creat};
  for (const u32 flags : ways) {
    const i32 fd = user::open(path, flags);
    if (allowed)
      EXPECT_EQ(user::close(fd), 0) << flags;
    else
      EXPECT_EQ(fd, BUSY) << flags;
  }
  if (!allowed) {
    EXPECT_EQ(user::open(path, abi::o_wronly | abi::o_trunc), BUSY);
    EXPECT_EQ(user::open(path, abi::o_rdonly | abi::o_trunc), BUSY);
    EXPECT_EQ(truncate(path), BUSY);
  }
  EXPECT_EQ(user::close(user::open(path)), 0);
}

int start(std::string_view path) {
  const int child = user::fork([path] {
    user::execve(path, {"p"});
    user::exit(99);
  });
  user::sleep_ms(50);
  return child;
}

void end(int child) {
  user::kill(child, abi::sigkill);
  EXPECT_EQ(user::waitpid(child), child);
}

void pause() { user::call(call::pause); }

TEST(text_busy, a_program_that_runs_is_not_written) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", PROGRAM, pause);
    expect_changes("/bin/p", true);
    const int child = start("/bin/p"), other = start("/bin/p");
    expect_changes("/bin/p", false);
    end(child);
    expect_changes("/bin/p", false);
    end(other);
    expect_changes("/bin/p", true);
    EXPECT_EQ(truncate("/bin/p"), 0);
  });
}

TEST(text_busy, its_child_runs_it_too) {
  pc::machine machine;
  machine.run([] {
    int grandchild = 0;
    user::install("/bin/p", PROGRAM, [&] { grandchild = user::fork(pause); });
    EXPECT_EQ(user::waitpid(start("/bin/p")) > 0, true);
    expect_changes("/bin/p", false);
    user::kill(grandchild, abi::sigkill);
    user::sleep_ms(50);
    user::wait();
    expect_changes("/bin/p", true);
  });
}

TEST(text_busy, another_program_takes_its_place) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/q", PROGRAM + 0x100, pause);
    user::install("/bin/p", PROGRAM, [] { user::execve("/bin/q", {"q"}); });
    const int child = start("/bin/p");
    expect_changes("/bin/p", true);
    expect_changes("/bin/q", false);
    end(child);
  });
}

TEST(text_busy, a_file_that_is_open_for_writing_is_not_run) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", PROGRAM, [] { user::exit(3); });
    const i32 writing = user::open("/bin/p", abi::o_wronly);
    const i32 again = user::call(call::dup, static_cast<u32>(writing));
    EXPECT_EQ(user::execve("/bin/p"), BUSY);
    user::close(writing);
    EXPECT_EQ(user::execve("/bin/p"), BUSY);
    user::close(again);
    u32 status = 0;
    user::waitpid(start("/bin/p"), &status);
    EXPECT_EQ(status, 3u << 8);
  });
}

// A script is read only at its start; its interpreter is the program.
TEST(text_busy, the_interpreter_of_a_script) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", PROGRAM, pause);
    const std::string_view script = "#!/bin/p\n";
    const auto* const bytes = reinterpret_cast<const byte*>(script.data());
    user::make_file("/bin/s", {bytes, bytes + script.size()});
    const i32 writing = user::open("/bin/s", abi::o_wronly);
    EXPECT_EQ(user::execve("/bin/s"), BUSY);
    user::close(writing);
    const int child = start("/bin/s");
    expect_changes("/bin/s", true);
    expect_changes("/bin/p", false);
    end(child);
  });
}

TEST(text_busy, what_could_not_be_run_or_opened_is_free) {
  pc::machine machine;
  machine.run([] {
    const auto* const bytes = reinterpret_cast<const byte*>("no program");
    user::make_file("/bin/n", {bytes, bytes + 10});
    EXPECT_EQ(user::execve("/bin/n"), minus(error::enoexec));
    expect_changes("/bin/n", true);
    EXPECT_EQ(user::open("/bin/n", abi::o_wronly | abi::o_creat | abi::o_excl),
              minus(error::eexist));
    user::call(call::unlink, user::text("/bin/n"));
    user::install("/bin/n", PROGRAM, [] { user::exit(4); });
    u32 status = 0;
    user::waitpid(start("/bin/n"), &status);
    EXPECT_EQ(status, 4u << 8);
  });
}

}  // namespace
