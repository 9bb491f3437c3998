#include "tests/pc/user.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hal/memory.h"
#include "kernel/i386/descriptors.h"
#include "tests/pc/inside.h"
#include "tests/pc/mmu.h"

namespace pc::user {
namespace {

using number = abi::syscall;

constexpr u32 HOME = TEXT_START + 0x800;  // where a program is between two calls
constexpr u32 page_fault = 14;
constexpr u32 SCRATCH_SIZE = 16 * PAGE_SIZE;
constexpr u32 SCRATCH = DATA_END - SCRATCH_SIZE;
u32 scratch_used = 0;

i32 call_at(u32 home, abi::syscall which, const std::array<u32, 5>& a) {
  trap_frame& r = registers();
  r.eax = static_cast<u32>(which);
  r.ebx = a[0], r.ecx = a[1], r.edx = a[2], r.esi = a[3], r.edi = a[4];
  r.eip = home;
  trap(system_call_vector);
  go_on(home);
  return static_cast<i32>(registers().eax);
}

// One page's worth at most.
byte* reach(u32 address, bool write) {
  for (int tries = 0; tries < 100; ++tries) {
    if (mmu::use(address, write)) return reinterpret_cast<byte*>(address);
    mmu::set_faulting_address(address);
    registers().eip = HOME;
    trap(page_fault, mmu::fault_code(address, write));
    go_on(HOME);
  }
  fail("a page fault that has no end");
}

template <class Action>
void page_by_page(u32 address, size_t size, bool write, Action action) {
  for (size_t done = 0; done < size;) {
    const u32 at = address + static_cast<u32>(done);
    const size_t piece = std::min<size_t>(size - done, PAGE_SIZE - at % PAGE_SIZE);
    action(reach(at, write), done, piece);
    done += piece;
  }
}

}  // namespace

i32 call(abi::syscall which, u32 a, u32 b, u32 c, u32 d, u32 e) {
  return call_at(HOME, which, {a, b, c, d, e});
}

int fork(std::function<void()> child) {
  const u32 begin = place_code({[body = std::move(child)](u32) {
                                  EXPECT_EQ(registers().eax, 0u) << "fork's answer to the child";
                                  body();
                                },
                                true});
  return call_at(begin, number::fork, {});
}

void exit(u32 status) {
  call(number::exit, status);
  fail("exit has returned");
}

int waitpid(int pid, u32* status, u32 options) {
  const u32 to = status ? room(sizeof(u32)) : 0;
  const int found = call(number::waitpid, static_cast<u32>(pid), to, options);
  if (status && found > 0) *status = get<u32>(to);
  return found;
}

int wait(u32* status) { return waitpid(-1, status); }
int kill(int pid, u32 signal) { return call(number::kill, static_cast<u32>(pid), signal); }
int pid() { return call(number::getpid); }

void compute(u32 ticks) {
  for (u32 i = 0; i < ticks; ++i) {
    registers().eip = HOME;
    trap(first_irq_vector);
    go_on(HOME);
  }
}

void be_interrupted() {
  registers().eip = HOME;
  trap(first_irq_vector + 15);
  go_on(HOME);
}

void sleep_ms(u32 ms) {
  const u32 time = room(sizeof(abi::timespec));
  put(time, abi::timespec{static_cast<i32>(ms / 1000), static_cast<i32>(ms % 1000) * 1'000'000});
  while (call(number::nanosleep, time, time) < 0) {
  }
}

u32 handler(std::function<void(u32)> body) { return place_code({std::move(body), false}); }

i32 set_handler(u32 signal, u32 handler_or_default, u32 flags, u32 mask) {
  const u32 action = room(sizeof(abi::sigaction));
  put(action, abi::sigaction{handler_or_default, mask, flags, 0});
  return call(number::sigaction, signal, action);
}

i32 block(u32 mask) { return call(number::ssetmask, mask); }

void put_bytes(u32 address, const void* from, size_t size) {
  page_by_page(address, size, true, [&](byte* at, size_t done, size_t piece) {
    std::memcpy(at, static_cast<const byte*>(from) + done, piece);
  });
}

void get_bytes(u32 address, void* to, size_t size) {
  page_by_page(address, size, false, [&](const byte* at, size_t done, size_t piece) {
    std::memcpy(static_cast<byte*>(to) + done, at, piece);
  });
}

u32 room(u32 size) {
  const u32 whole = (size + 15) & ~15u;
  if (whole > SCRATCH_SIZE) fail("too much room asked for");
  if (scratch_used + whole > SCRATCH_SIZE) scratch_used = 0;
  const u32 at = SCRATCH + scratch_used;
  scratch_used += whole;
  return at;
}

u32 text(std::string_view content) {
  const std::string with_nul(content);
  const u32 size = static_cast<u32>(content.size()) + 1;
  const u32 at = room(size);
  put_bytes(at, with_nul.c_str(), size);
  return at;
}

i32 open(std::string_view path, u32 flags, u32 mode) {
  return call(number::open, text(path), flags, mode);
}
i32 close(i32 fd) { return call(number::close, static_cast<u32>(fd)); }
i32 write(i32 fd, std::string_view content) {
  return call(number::write, static_cast<u32>(fd), text(content), static_cast<u32>(content.size()));
}
std::string read(i32 fd, u32 count) {
  const u32 to = room(count);
  const i32 got = call(number::read, static_cast<u32>(fd), to, count);
  std::string content(static_cast<size_t>(std::max(got, 0)), '\0');
  get_bytes(to, content.data(), content.size());
  return content;
}

void make_file(std::string_view path, const std::vector<byte>& content, u32 mode) {
  const i32 fd = open(path, abi::o_creat | abi::o_wronly | abi::o_trunc, mode);
  ASSERT_GE(fd, 0) << path;
  const auto* const from = reinterpret_cast<const char*>(content.data());
  for (size_t done = 0; done < content.size(); done += PAGE_SIZE) {
    const std::string_view piece(from + done, std::min<size_t>(content.size() - done, PAGE_SIZE));
    ASSERT_EQ(write(fd, piece), static_cast<i32>(piece.size())) << path;
  }
  EXPECT_EQ(close(fd), 0);
}

void install(std::string_view path, u32 entry, std::function<void()> body) {
  place_code({[run = std::move(body)](u32) { run(); }, true}, entry);
  make_file(path, program_file(entry).bytes());
}

namespace {

u32 vector_of(const std::vector<std::string>& texts) {
  std::vector<u32> words;
  for (const std::string& each : texts) words.push_back(text(each));
  words.push_back(0);
  const u32 size = static_cast<u32>(words.size() * sizeof(u32));
  const u32 at = room(size);
  put_bytes(at, words.data(), size);
  return at;
}

std::string text_at(u32 address) {
  std::string found;
  while (const char c = get<char>(address++)) found += c;
  return found;
}

std::vector<std::string> texts_at(u32& vector) {
  std::vector<std::string> found;
  for (; const u32 each = get<u32>(vector); vector += sizeof(u32)) found.push_back(text_at(each));
  vector += sizeof(u32);
  return found;
}

}  // namespace

i32 execve(std::string_view path, const std::vector<std::string>& argv,
           const std::vector<std::string>& envp) {
  return call(number::execve, text(path), vector_of(argv), vector_of(envp));
}

start arguments() {
  u32 at = registers().esp;
  const u32 argc = get<u32>(at);
  at += sizeof(u32);
  start found;
  found.argv = texts_at(at);
  found.envp = texts_at(at);
  EXPECT_EQ(argc, found.argv.size());
  EXPECT_EQ(get<u64>(at), 0u) << "the auxiliary vector is not empty";
  EXPECT_EQ(registers().esp % 16, 0u);
  return found;
}

}  // namespace pc::user
