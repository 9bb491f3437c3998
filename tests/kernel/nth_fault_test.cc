// The n-th fails, for calls of a process: everything is taken but n - 1 pages, descriptors, places
// for open files or places for tasks, n = 1, 2, … until the call needs no n-th one. Where it fails
// it leaves nothing behind, and the same call works as soon as there is room again. (For calls of
// the file system on a stick: tests/fs/nth_fault_sweep_test.cc.)
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "fs/inode_table.h"
#include "hal/memory.h"
#include "kernel/sched.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;
constexpr u32 FAR = pc::HEAP_START + 0x0060'0000;  // two page tables behind the program's

// Every call runs in a process of its own, which ends afterwards. Negative: the errno. A call that
// touches memory may end its process instead.
struct nth_call {
  const char* name;
  i32 (*make)();
};

i32 closed(i32 fd) { return fd < 0 ? fd : user::close(fd); }

i32 fork_and_wait() {
  const int child = user::fork([] {});
  return child < 0 ? child : user::waitpid(child);
}

i32 fork_twice() {
  const int first = user::fork([] { user::call(call::pause); });
  if (first < 0) return first;
  const int second = fork_and_wait();
  user::kill(first, abi::sigkill);
  EXPECT_EQ(user::waitpid(first), first);
  return second;
}

i32 make_pipe() {
  const u32 ends = user::room(8);
  if (const i32 answer = user::call(call::pipe, ends); answer < 0) return answer;
  user::close(user::get<i32>(ends));
  return user::close(user::get<i32>(ends + 4));
}

i32 use_heap() {
  user::call(call::brk, FAR + PAGE_SIZE);
  user::put<u8>(pc::HEAP_START + PAGE_SIZE, 1);
  user::put<u8>(FAR, 1);
  return user::call(call::brk, pc::HEAP_START) == static_cast<i32>(pc::HEAP_START) ? 0 : -1;
}

// The kernel writes where no page is yet.
i32 read_into_heap() {
  user::call(call::brk, FAR + PAGE_SIZE);
  const i32 answer = user::call(call::stat, user::text("/"), FAR - 8);
  user::call(call::brk, pc::HEAP_START);
  return answer;
}

i32 grow_the_stack() {
  user::put<u8>(USER_STACK_TOP - 0x0050'0000, 1);
  return 0;
}

i32 handle_a_signal() {
  bool handled = false;
  user::set_handler(abi::sigusr1, user::handler([&](u32) { handled = true; }));
  const u32 stack = std::exchange(pc::registers().esp, USER_STACK_TOP - 0x0050'0000);
  user::kill(user::pid(), abi::sigusr1);
  pc::registers().esp = stack;
  return handled ? 0 : -1;
}

i32 write_shared_memory() {
  for (u32 page = 0; page < 10; ++page) user::put<u8>(pc::DATA_START + page * PAGE_SIZE, 2);
  return 0;
}

i32 execute() {
  const int child = user::fork([] { user::exit(user::execve("/bin/p") == 0 ? 0 : 1); });
  if (child < 0) return child;
  u32 status = 0;
  const int ended = user::waitpid(child, &status);
  if (ended < 0) {  // no page for the status
    EXPECT_EQ(user::waitpid(child), child);
    return ended;
  }
  return status == 7 << 8 ? 0 : -to_errno(error::enomem);
}

i32 create() {
  const i32 answer = closed(user::open("/tmp/new", abi::o_creat | abi::o_excl | abi::o_wronly));
  const i32 left = user::call(call::unlink, user::text("/tmp/new"));
  EXPECT_EQ(left, answer < 0 ? -to_errno(error::enoent) : 0) << "a file is made or none";
  return answer;
}

i32 duplicate() { return closed(user::call(call::dup, 0)); }
i32 duplicate_high() { return closed(user::call(call::fcntl, 0, abi::f_dupfd, NR_OPEN - 2)); }

const nth_call calls[] = {
    {"fork", fork_and_wait},
    {"two children", fork_twice},
    {"execve", execute},
    {"pipe", make_pipe},
    {"open", [] { return closed(user::open("/tmp")); }},
    {"creat", create},
    {"dup", duplicate},
    {"fcntl", duplicate_high},
    {"heap", use_heap},
    {"stat into the heap", read_into_heap},
    {"stack", grow_the_stack},
    {"signal", handle_a_signal},
    {"copy on write", write_shared_memory},
};

// --- what is taken away ---

struct kind {
  const char* name;
  void (*leave)(u32 count);
  void (*give_back)();
  error failure;
  u32 least_faults;  // over all calls: fewer, and the test has shrunk
};

std::vector<file*> taken_files;
std::vector<task_struct*> taken_tasks;

void leave_files(u32 count) {
  while (const auto one = open_file(current->fs, "/", abi::o_rdonly, 0))
    taken_files.push_back(*one);
  for (; count > 0; --count, taken_files.pop_back()) (void)close_file(*taken_files.back());
}
void give_files_back() {
  for (file* each : taken_files) (void)close_file(*each);
  taken_files.clear();
}

void leave_tasks(u32 count) {
  while (const auto one = create_task("taken")) taken_tasks.push_back(*one);
  for (; count > 0; --count, taken_tasks.pop_back()) release(*taken_tasks.back());
}
void give_tasks_back() {
  for (task_struct* each : taken_tasks) release(*each);
  taken_tasks.clear();
}

// Descriptor 0 is in use already. The highest ones stay free.
void leave_descriptors(u32 count) {
  for (u32 fd = 1; fd < NR_OPEN - count; ++fd) user::call(call::dup, 0);
}
void close_descriptors() {
  for (u32 fd = 1; fd < NR_OPEN; ++fd) user::call(call::close, fd);
}

const kind kinds[] = {
    {"pages", pc::leave_free_pages, pc::release_memory, error::enomem, 55},
    {"tasks", leave_tasks, give_tasks_back, error::eagain, 4},
    {"files", leave_files, give_files_back, error::enfile, 4},
    {"descriptors", leave_descriptors, close_descriptors, error::emfile, 6},
};

struct possessions {
  u32 pages, inodes;
  bool operator==(const possessions&) const = default;
};
possessions take_stock() {
  possessions found{free_page_count(), 0};
  for (const m_inode& inode : all_inodes()) found.inodes += inode.i_count;
  return found;
}

enum class outcome : u8 { unknown, worked, failed };

// Makes the call in a process with n - 1 of a kind. Returns whether that were too few.
bool fails_and_works_again(const nth_call& c, const kind& k, u32 nth) {
  SCOPED_TRACE(std::string(c.name) + ": " + k.name + " " + std::to_string(nth));
  outcome first = outcome::unknown;
  const possessions before = take_stock();
  const int child = user::fork([&] {
    const i32 fd = user::open("/");
    EXPECT_EQ(fd, 0);
    user::text("its page is its own");
    k.leave(nth - 1);
    const i32 answer = c.make();
    k.give_back();
    first = answer < 0 ? outcome::failed : outcome::worked;
    if (answer < 0) {
      EXPECT_EQ(answer, -to_errno(k.failure));
      EXPECT_GE(c.make(), 0) << "the same call again";
    }
    user::exit(5);
  });
  const int ended = user::wait();
  k.give_back();
  EXPECT_EQ(ended, child);
  user::sleep_ms(100);
  while (user::waitpid(-1, nullptr, abi::wnohang) > 0) {  // what a child that was ended has left
  }
  if (first == outcome::unknown) {  // it was ended by the failure
    EXPECT_EQ(k.failure, error::enomem);
    const int again = user::fork([&] { user::exit(c.make() < 0 ? 1 : 5); });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), again);
    EXPECT_EQ(status, 5u << 8) << "the same call again";
  }
  EXPECT_EQ(take_stock(), before) << "something is left behind";
  return first != outcome::worked;
}

class nth_fault : public ::testing::TestWithParam<size_t> {};

TEST_P(nth_fault, of_a_kind_in_every_call) {
  const kind& k = kinds[GetParam()];
  u32 faults = 0;
  for (const nth_call& c : calls) {
    pc::machine machine({.pages = 2048});
    machine.run([&] {
      user::install("/bin/p", PROGRAM, [] { user::exit(7); });
      for (u32 page = 0; page < 32; ++page) user::put<u8>(pc::DATA_START + page * PAGE_SIZE, 1);
      for (u32 nth = 1; fails_and_works_again(c, k, nth) && !HasFailure(); ++nth) ++faults;
      user::call(call::unlink, user::text("/bin/p"));
    });
    if (HasFailure()) return;
  }
  std::printf("floor: n-th_fails_of_%s_of_a_process %u %u\n", k.name, faults, k.least_faults);
}

INSTANTIATE_TEST_SUITE_P(kinds, nth_fault, ::testing::Range(size_t{0}, std::size(kinds)),
                         [](const auto& chosen) { return std::string(kinds[chosen.param].name); });

}  // namespace
