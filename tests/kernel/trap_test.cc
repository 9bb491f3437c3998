// Exceptions of programs, the backtrace that they print, and how process 1 begins.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "kernel/i386/trap_frame.h"
#include "kernel/process.h"
#include "kernel/program_symbols.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/mmu.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

bool console_has(const std::string& text) { return pc::console().find(text) != std::string::npos; }

u32 status_after_exception(u32 vector) {
  const int child = user::fork([=] { pc::trap(vector); });
  u32 status = 0;
  EXPECT_EQ(user::waitpid(child, &status), child);
  return status;
}

TEST(trap, every_exception_of_a_program_is_a_signal) {
  pc::machine machine;
  machine.run([] {
    const std::pair<u32, u32> signals[] = {
        {0, abi::sigfpe},  {1, abi::sigtrap}, {3, abi::sigtrap},  {4, abi::sigsegv},
        {5, abi::sigsegv}, {6, abi::sigill},  {7, abi::sigill},   {10, abi::sigsegv},
        {11, abi::sigbus}, {12, abi::sigbus}, {13, abi::sigsegv}, {16, abi::sigfpe},
        {17, abi::sigbus}, {19, abi::sigfpe}, {20, abi::sigsegv}, {31, abi::sigsegv}};
    for (const auto& [vector, signal] : signals) EXPECT_EQ(status_after_exception(vector), signal);
    EXPECT_TRUE(console_has("general protection fault"));
    EXPECT_TRUE(console_has("reserved exception"));
  });
}

TEST(trap, an_exception_with_a_handler_prints_nothing) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigfpe, user::handler([&](u32) { ++handled; }));
    const u32 home = pc::registers().eip;
    pc::trap(0);
    pc::go_on(home);
    EXPECT_EQ(handled, 1u);
    EXPECT_FALSE(console_has("division error"));
  });
}

TEST(trap, virtual_8086_mode_ends_a_program) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] {
      user::block(~0u);
      pc::registers().eflags |= trap_frame::virtual_8086_flag;
      pc::registers().cs = 0;
      user::be_interrupted();
      ADD_FAILURE() << "it went on";
    });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, abi::sigkill);
  });
}

TEST(trap, a_fault_of_the_kernel_is_a_panic) {
  pc::machine machine({.expect_panic = true});
  machine.run([] {
    pc::registers().cs = 8;
    pc::trap(13);
  });
  EXPECT_EQ(machine.panic_message(), "general protection fault");
}

// The stack of a program may hold anything: the walk over it ends.
TEST(trap, a_backtrace_over_a_bad_stack) {
  pc::machine machine;
  machine.run([] {
    const u32 frame = pc::DATA_START + 64;
    const std::pair<u32, u32> frames[] = {{0, 0},
                                          {frame, 0x0804'8123},
                                          {frame + 8, 0x0804'8123},
                                          {~0u, 0x0804'8123},
                                          {frame - 8, 0x0804'8123},
                                          {pc::DATA_END - 4, 0x0804'8123}};
    for (const auto& [caller, address] : frames) {
      const int child = user::fork([=] {
        user::put(frame, caller);
        user::put(frame + 4, address);
        pc::registers().ebp = frame;
        user::put<u8>(0x1000, 1);
      });
      u32 status = 0;
      EXPECT_EQ(user::wait(&status), child);
      EXPECT_EQ(status, abi::sigsegv);
    }
    EXPECT_TRUE(console_has("  08048123"));
  });
}

// --- names in a backtrace ---

// A program file with a symbol table: two functions and an object.
std::vector<byte> with_symbols(const std::function<void(elf_header&, section_header&)>& spoil) {
  pc::program_file file(0x0804'8200);
  std::vector<byte> bytes = file.bytes();
  const auto append = [&](const void* what, size_t size) {
    const auto at = static_cast<u32>(bytes.size());
    const auto* const from = static_cast<const byte*>(what);
    bytes.insert(bytes.end(), from, from + size);
    return at;
  };
  const std::string names("\0_ZN3one3twoEv\0plain\0data\0", 26);
  const elf_symbol symbols[] = {{0, 0, 0, 0, 0, 0},
                                {1, 0x0804'8000, 0x40, 2, 0, 1},
                                {15, 0x0804'8100, 0x800, 2, 0, 1},
                                {21, 0x0804'8110, 0x800, 1, 0, 1}};
  section_header sections[2] = {};
  sections[0].sh_type = 2;
  sections[0].sh_link = 1;
  sections[0].sh_size = sizeof symbols;
  sections[0].sh_offset = append(symbols, sizeof symbols);
  sections[1].sh_offset = append(names.data(), names.size());
  file.header.e_shnum = 2;
  spoil(file.header, sections[0]);
  file.header.e_shoff = append(sections, sizeof sections);
  std::memcpy(bytes.data(), &file.header, sizeof file.header);
  return bytes;
}

// What stands in the backtrace for an address of that program.
std::string name_of(const std::vector<byte>& bytes, u32 address) {
  user::make_file("/tmp/p", bytes);
  const program_ref inode = std::move(*open_program(current->fs, "/tmp/p"));
  const auto found = find_program_symbol(*inode, address);
  user::call(call::unlink, user::text("/tmp/p"));
  return found ? found->name.data() + ("+" + std::to_string(found->offset)) : "";
}

TEST(program_symbols, the_function_that_an_address_is_in) {
  pc::machine machine;
  machine.run([] {
    const auto good = with_symbols([](auto&, auto&) {});
    EXPECT_EQ(name_of(good, 0x0804'8000), "one::two+0");
    EXPECT_EQ(name_of(good, 0x0804'803F), "one::two+63");
    EXPECT_EQ(name_of(good, 0x0804'8040), "") << "behind its end";
    EXPECT_EQ(name_of(good, 0x0804'80FF), "");
    EXPECT_EQ(name_of(good, 0x0804'8110), "plain+16") << "an object is no function";
    EXPECT_EQ(name_of(good, 0x0804'7FFF), "");
    EXPECT_EQ(name_of(pc::program_file().bytes(), 0x0804'8000), "");
  });
}

TEST(program_symbols, a_bad_table_ends_the_search) {
  pc::machine machine;
  machine.run([] {
    const auto found = [](const std::function<void(elf_header&, section_header&)>& spoil) {
      return name_of(with_symbols(spoil), 0x0804'8000);
    };
    EXPECT_EQ(found([](auto& h, auto&) { h.e_shnum = 0; }), "");
    EXPECT_EQ(found([](auto& h, auto&) { h.e_shnum = 0xFFFF; }), "one::two+0");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_link = 2; }), "");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_link = ~0u; }), "");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_offset = ~0u; }), "");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_size = 0; }), "");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_type = 3; }), "");
    EXPECT_EQ(found([](auto&, auto& s) { s.sh_size = 0x7FFF'FFFF; }), "") << "behind the file";
  });
}

// --- info files ---

std::string info(u32 minor) {
  user::call(call::mknod, user::text("/tmp/i"), abi::s_ifchr | 0444, 10 << 8 | minor);
  const i32 fd = user::open("/tmp/i");
  const std::string text = user::read(fd, 8192);
  user::close(fd);
  user::call(call::unlink, user::text("/tmp/i"));
  return text;
}

TEST(info, tasks_and_memory) {
  pc::machine machine;
  machine.run([] {
    const int child = user::fork([] { user::call(call::pause); });
    const int zombie = user::fork([] {});
    user::sleep_ms(10);
    user::kill(child, abi::sigstop);
    user::sleep_ms(10);
    const std::string tasks = info(2);
    EXPECT_NE(tasks.find("1 0 R "), std::string::npos) << tasks;
    EXPECT_NE(tasks.find(std::to_string(child) + " 1 T "), std::string::npos) << tasks;
    EXPECT_NE(tasks.find(std::to_string(zombie) + " 1 Z "), std::string::npos) << tasks;
    const std::string memory = info(7);
    EXPECT_NE(memory.find("buffers 64\n"), std::string::npos) << memory;
    user::kill(child, abi::sigkill);
    EXPECT_GT(user::wait(), 0);
    EXPECT_GT(user::wait(), 0);
  });
}

// --- init ---

TEST(init, another_program_by_option) {
  pc::machine machine({.options = "init=/bin/none"});
  bool ran = false;
  machine.run([&] {
    ran = true;
    EXPECT_EQ(user::arguments().argv, std::vector<std::string>{"/sbin/init"});
    EXPECT_EQ(user::arguments().envp.size(), 3u);
    EXPECT_EQ(user::call(call::getpgrp), 1);
    EXPECT_TRUE(current->leader);
    EXPECT_TRUE(console_has("/bin/none cannot be run (error 2)"));
  });
  EXPECT_TRUE(ran);
}

}  // namespace
