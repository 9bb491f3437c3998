// What a program of the simulated PC can do: call the system, use its memory, compute.
//
// Functions of the test are programs: they run in a process between two traps. A variable of the
// test is shared by all processes, as a window through which the test looks at them; memory of the
// process is reached by put, get and text.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/abi.h"
#include "lib/types.h"
#include "tests/pc/program.h"

namespace pc::user {

// `int 0x80`: the call's value, or -errno.
i32 call(abi::syscall number, u32 a = 0, u32 b = 0, u32 c = 0, u32 d = 0, u32 e = 0);

// --- processes ---
int fork(std::function<void()> child);
[[noreturn]] void exit(u32 status);
int waitpid(int pid, u32* status = nullptr, u32 options = 0);
int wait(u32* status = nullptr);
int kill(int pid, u32 signal);
int pid();
// Runs for so many timer interrupts in user mode.
void compute(u32 ticks);
// An interrupt that takes no time: pending signals are delivered.
void be_interrupted();
// Sleeps so long, whatever signals come.
void sleep_ms(u32 ms);

// --- signals ---
// The address of a handler.
u32 handler(std::function<void(u32 signal)> body);
i32 set_handler(u32 signal, u32 handler_or_default, u32 flags = 0, u32 mask = 0);
i32 block(u32 mask);  // the whole mask

// --- memory ---
// Bytes of the process at `address`, by the program's own access: a page fault where there is none.
void put_bytes(u32 address, const void* from, size_t size);
void get_bytes(u32 address, void* to, size_t size);
template <class T>
void put(u32 address, const T& value) {
  put_bytes(address, &value, sizeof value);
}
template <class T>
T get(u32 address) {
  T value;
  get_bytes(address, &value, sizeof value);
  return value;
}
// A NUL-terminated text in the data segment; valid until a few later ones.
u32 text(std::string_view content);
// So many bytes in the data segment for the results of calls; valid as above.
u32 room(u32 size);

// --- files ---
i32 open(std::string_view path, u32 flags = abi::o_rdonly, u32 mode = 0644);
i32 close(i32 fd);
i32 write(i32 fd, std::string_view content);
std::string read(i32 fd, u32 count);
void make_file(std::string_view path, const std::vector<byte>& content, u32 mode = 0755);

// Puts a program on the disk: its file at `path`, its instructions at `entry`.
void install(std::string_view path, u32 entry, std::function<void()> body);
i32 execve(std::string_view path, const std::vector<std::string>& argv = {},
           const std::vector<std::string>& envp = {});
// What stands on the stack of a program that has just begun.
struct start {
  std::vector<std::string> argv, envp;
};
start arguments();

}  // namespace pc::user

namespace user = pc::user;
