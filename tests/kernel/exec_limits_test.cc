// Programs whose headers are unusual but right, or wrong by one (System V ABI, chapter 5).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hal/memory.h"
#include "kernel/elf.h"
#include "kernel/sched.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;
constexpr u32 NOTE = 4;

// Runs the program whose headers `change` has changed; false when it is not executed, or does not
// end well.
bool runs(
    const std::function<void(pc::program_file&)>& change, const std::function<void()>& body = [] {},
    u32 entry = PROGRAM) {
  pc::program_file file(entry);
  change(file);
  user::make_file("/tmp/p", file.bytes());
  bool ran = false;
  pc::place_code({[&](u32) {
                    ran = true;
                    body();
                    user::exit(0);
                  },
                  true},
                 entry);
  const int child = user::fork([] {
    user::execve("/tmp/p");
    user::exit(1);
  });
  u32 status = 0;
  EXPECT_EQ(user::waitpid(child, &status), child);
  user::call(call::unlink, user::text("/tmp/p"));
  EXPECT_EQ(ran, status == 0);
  return status == 0;
}

TEST(elf, segments_in_any_order_side_by_side) {
  pc::machine machine;
  machine.run([] {
    const auto reversed = [](auto& f) {
      std::swap(f.segments[0], f.segments[1]);
      f.segments[0].p_vaddr = pc::TEXT_START + PAGE_SIZE;
    };
    EXPECT_TRUE(runs(reversed, [] {
      EXPECT_EQ(user::get<u8>(pc::TEXT_START + PAGE_SIZE), pc::DATA_BYTE);
      const u32 end = pc::TEXT_START + PAGE_SIZE + (pc::DATA_END - pc::DATA_START);
      EXPECT_EQ(user::call(call::brk, 0), static_cast<i32>(end)) << "behind the highest segment";
    }));
    EXPECT_FALSE(runs([&](auto& f) {
      reversed(f);
      --f.segments[0].p_vaddr;
    })) << "they share a page";
    EXPECT_FALSE(runs([](auto& f) { f.segments[1].p_vaddr = pc::TEXT_START; }));
  });
}

TEST(elf, the_first_and_the_last_byte_may_be_the_entry) {
  pc::machine machine;
  machine.run([] {
    const auto unchanged = [](auto&) {};
    EXPECT_TRUE(runs(
        unchanged, [] {}, pc::TEXT_START));
    EXPECT_TRUE(runs(
        unchanged, [] {}, pc::TEXT_START + PAGE_SIZE - 1));
    EXPECT_FALSE(runs(
        unchanged, [] {}, pc::TEXT_START + PAGE_SIZE));
    EXPECT_FALSE(runs(
        unchanged, [] {}, pc::TEXT_START - 1));
  });
}

TEST(elf, as_many_headers_as_are_read) {
  pc::machine machine;
  machine.run([] {
    for (const u16 count : {u16{16}, u16{17}})
      EXPECT_EQ(runs([=](auto& f) {
                  while (f.segments.size() < count)
                    f.segments.push_back({NOTE, 0, 0, 0, 0, 0, 0, 0});
                  f.header.e_phnum = count;
                }),
                count == 16);
    EXPECT_TRUE(runs([](auto& f) { f.header.e_phnum = 1; })) << "one is enough";
    EXPECT_FALSE(runs([](auto& f) { f.header.e_phoff = ~0u - 31; }));
  });
}

TEST(elf, segments_that_are_none) {
  pc::machine machine;
  machine.run([] {
    const auto third = [](u32 type, u32 address, u32 size) {
      return [=](pc::program_file& f) {
        f.segments.push_back({type, 0, address, 0, 0, size, 4, PAGE_SIZE});
        f.header.e_phnum = 3;
      };
    };
    EXPECT_TRUE(runs(third(1, 0, 0))) << "empty, wherever it stands";
    EXPECT_TRUE(runs(third(NOTE, 0, 100))) << "not loaded";
    EXPECT_FALSE(runs(third(1, 0, 1))) << "in the first page";
    EXPECT_FALSE(runs(third(3, 0x1000'0000, 1))) << "an interpreter";
    EXPECT_TRUE(runs(third(1, 0x1000'0000, 1), [] { EXPECT_EQ(user::get<u8>(0x1000'0FFF), 0); }));
  });
}

// The end of a segment in its file is at most the largest size of a file.
TEST(elf, a_segment_up_to_the_largest_offset) {
  pc::machine machine;
  machine.run([] {
    const auto at = [](u32 offset) {
      return [=](pc::program_file& f) { f.segments[1].p_offset = offset; };
    };
    EXPECT_TRUE(runs(at(0x7FFF'FFFF - pc::DATA_IN_FILE)));
    EXPECT_FALSE(runs(at(0x7FFF'FFFF - pc::DATA_IN_FILE + 1)));
    EXPECT_FALSE(runs(at(~0u)));
    EXPECT_TRUE(runs([](auto& f) { f.segments[1].p_memsz = f.segments[1].p_filesz; }));
    EXPECT_FALSE(runs([](auto& f) { f.segments[1].p_memsz = f.segments[1].p_filesz - 1; }));
  });
}

TEST(elf, a_segment_may_be_written_as_its_header_says) {
  pc::machine machine;
  machine.run([] {
    for (const u32 flags : {4u, 5u, 6u, 7u})
      EXPECT_TRUE(runs([=](auto& f) { f.segments[1].p_flags = flags; },
                       [=] {
                         const i32 answer = user::call(call::time, pc::DATA_START);
                         EXPECT_EQ(answer == -to_errno(error::efault), !(flags & 2)) << flags;
                       }));
  });
}

TEST(exec, the_name_of_a_program_is_the_end_of_its_path) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", PROGRAM, [] { EXPECT_STREQ(current->comm.data(), "p"); });
    user::call(call::chdir, user::text("/bin"));
    for (const char* path : {"p", "./p", "/bin/p", "../bin//p"}) {
      const int child = user::fork([=] {
        user::execve(path);
        ADD_FAILURE() << path;
      });
      EXPECT_EQ(user::waitpid(child), child);
    }
    user::call(call::chdir, user::text("/"));
    user::call(call::unlink, user::text("/bin/p"));
  });
}

}  // namespace
