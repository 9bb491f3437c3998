// The limits of kernel/: options, program files, backtraces, messages; and the count of ticks near
// its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "hal/log.h"
#include "hal/memory.h"
#include "kernel/exec.h"
#include "kernel/i386/backtrace.h"
#include "kernel/options.h"
#include "kernel/program_symbols.h"
#include "kernel/sched.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;

i32 minus(error e) { return -to_errno(e); }

u32 count_of(const std::string& text, const std::string& what) {
  u32 count = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// --- options

TEST(boundaries, a_command_line_has_1023_characters) {
  for (const u32 length : {1022u, 1023u, 1024u, 1025u}) {
    const std::string end = " last=12";
    set_boot_options("first=1 " + std::string(length - 8 - end.size(), 'x') + end);
    EXPECT_EQ(boot_option("first"), "1");
    EXPECT_EQ(boot_option("last"), length <= 1023 ? "12" : length == 1024 ? "1" : "") << length;
  }
}

// --- program files

// So many headers in all: two segments, and empty ones of no meaning behind them.
TEST(boundaries, a_program_has_at_most_16_headers) {
  pc::machine machine;
  machine.run([] {
    for (const u32 count : {15u, 16u, 17u, 18u}) {
      pc::program_file file(PROGRAM);
      while (file.segments.size() < count) file.segments.push_back({});
      file.header.e_phnum = static_cast<u16>(count);
      user::make_file("/tmp/p", file.bytes());
      bool ran = false;
      pc::place_code({[&](u32) {
                        ran = true;
                        user::exit(0);
                      },
                      true},
                     PROGRAM);
      const int child =
          user::fork([&] { user::exit(user::execve("/tmp/p") == minus(error::enoexec) ? 5 : 6); });
      u32 status = 0;
      EXPECT_EQ(user::waitpid(child, &status), child);
      EXPECT_EQ(ran, count <= 16) << count;
      EXPECT_EQ(status, count <= 16 ? 0u : 5u << 8);
    }
    user::call(call::unlink, user::text("/tmp/p"));
  });
}

// --- names in a backtrace

constexpr u32 FUNCTION = 0x0804'8000;

// A program with a symbol table of `symbols` entries, the last of which is a function of this name;
// the table is the last but one of `sections` sections.
std::vector<byte> with_function(const std::string& name, u32 symbols, u32 sections) {
  pc::program_file file(PROGRAM);
  std::vector<byte> bytes = file.bytes();
  const auto append = [&](const void* what, size_t size) {
    const auto at = static_cast<u32>(bytes.size());
    const auto* const from = static_cast<const byte*>(what);
    bytes.insert(bytes.end(), from, from + size);
    return at;
  };
  std::vector<elf_symbol> table(symbols);
  table.back() = {1, FUNCTION, 0x40, 2, 0, 1};
  std::vector<section_header> all(sections);
  section_header& of_symbols = all[sections - 2];
  of_symbols.sh_type = 2;
  of_symbols.sh_link = sections - 1;
  of_symbols.sh_size = symbols * static_cast<u32>(sizeof(elf_symbol));
  of_symbols.sh_offset = append(table.data(), of_symbols.sh_size);
  all.back().sh_offset = append(("\0" + (std::string(1, '\0') + name)).c_str(), name.size() + 2);
  file.header.e_shnum = static_cast<u16>(sections);
  file.header.e_shoff = append(all.data(), sections * sizeof(section_header));
  std::memcpy(bytes.data(), &file.header, sizeof file.header);
  return bytes;
}

std::string function_of(const std::vector<byte>& bytes) {
  user::make_file("/tmp/p", bytes);
  const program_ref inode = std::move(*open_program(current->fs, "/tmp/p"));
  const auto found = find_program_symbol(*inode, FUNCTION + 3);
  user::call(call::unlink, user::text("/tmp/p"));
  return found ? found->name.data() + ("+" + std::to_string(found->offset)) : "";
}

TEST(boundaries, names_of_functions_are_cut_to_63_characters) {
  pc::machine machine;
  machine.run([] {
    for (const u32 length : {62u, 63u, 64u, 126u, 127u, 128u, 300u}) {
      const std::string name(length, 'f');
      EXPECT_EQ(function_of(with_function(name, 2, 2)), name.substr(0, 63) + "+3") << length;
    }
  });
}

TEST(boundaries, a_function_is_found_in_the_last_section_and_symbol_that_are_looked_at) {
  pc::machine machine;
  machine.run([] {
    for (const u32 sections : {63u, 64u, 65u, 66u})
      EXPECT_EQ(function_of(with_function("f", 2, sections)), sections <= 64 ? "f+3" : "")
          << sections << " sections";
    for (const u32 symbols : {31u, 32u, 33u, 8191u, 8192u, 8193u})
      EXPECT_EQ(function_of(with_function("f", symbols, 2)), symbols <= 8192 ? "f+3" : "")
          << symbols << " symbols";
  });
}

TEST(boundaries, a_backtrace_of_a_program_has_16_callers) {
  pc::machine machine;
  machine.run([] {
    for (const u32 callers : {15u, 16u, 17u, 40u}) {
      const std::string address = "  0804" + std::to_string(7000 + callers);
      const u32 before = count_of(pc::console(), address);
      const int child = user::fork([=] {
        const u32 first = pc::DATA_START + 64;
        for (u32 i = 0; i < callers; ++i) {
          user::put<u32>(first + 16 * i, i + 1 < callers ? first + 16 * (i + 1) : 0);
          user::put<u32>(
              first + 16 * i + 4,
              static_cast<u32>(std::stoul("0804" + std::to_string(7000 + callers), nullptr, 16)));
        }
        pc::registers().ebp = first;
        user::put<u8>(0x1000, 1);
      });
      u32 status = 0;
      EXPECT_EQ(user::waitpid(child, &status), child);
      EXPECT_EQ(status, abi::sigsegv);
      EXPECT_EQ(count_of(pc::console(), address) - before, std::min(callers, 16u)) << callers;
    }
  });
}

// The frames stand in the part of the task's stack that is not in use.
TEST(boundaries, a_backtrace_of_the_kernel_has_24_callers) {
  pc::machine machine;
  machine.run([] {
    u32* const stack = reinterpret_cast<u32*>(current->kernel_stack + 4096);
    const auto address_of = [&](u32 frame) {
      return static_cast<u32>(reinterpret_cast<uintptr_t>(stack + 2 * frame));
    };
    for (const u32 callers : {23u, 24u, 25u, 60u}) {
      const u32 code = 0x1234'5000 + callers;
      for (u32 i = 0; i < callers; ++i) {
        stack[2 * i] = i + 1 < callers ? address_of(i + 1) : 0;
        stack[2 * i + 1] = code + 1;
      }
      print_backtrace(*current, 0, address_of(0));
      std::array<char, 16> line{};
      std::snprintf(line.data(), line.size(), "  %08x", code);
      EXPECT_EQ(count_of(pc::console(), line.data()), std::min(callers, 24u)) << callers;
    }
  });
}

// --- messages

// The newest messages, as many as there is room for and a NUL behind them, at most the whole ring.
TEST(boundaries, the_ring_of_messages_is_read_whole) {
  pc::machine machine;
  machine.run([] {
    for (int i = 0; i < 4000; ++i) printk("line %d\n", i);
    user::call(call::brk, pc::HEAP_START + 10 * PAGE_SIZE);
    for (const u32 room : {1u, 2u, 32767u, 32768u, 32769u, 40'000u}) {
      user::put<u8>(pc::HEAP_START + std::min(room, 32768u), 0x7E);
      const u32 expected = std::min(room, 32768u) - 1;
      EXPECT_EQ(user::call(call::syslog, 3, pc::HEAP_START, room), static_cast<i32>(expected));
      EXPECT_EQ(user::get<u8>(pc::HEAP_START + expected), 0);
      EXPECT_EQ(user::get<u8>(pc::HEAP_START + std::min(room, 32768u)), 0x7E)
          << "nothing behind the room";
      if (expected) {
        EXPECT_EQ(user::get<u8>(pc::HEAP_START + expected - 1), '\n');
      }
    }
    user::call(call::brk, pc::HEAP_START);
  });
}

// --- the console

// A long text goes to the console in pieces of 1024 characters: none is lost or comes twice.
TEST(boundaries, texts_around_a_piece_of_the_console_arrive_whole) {
  pc::machine machine;
  machine.run([] {
    user::call(call::brk, pc::HEAP_START + 2 * PAGE_SIZE);
    const i32 fd = user::open("/dev/console", abi::o_wronly);
    ASSERT_GE(fd, 0);
    for (const u32 size : {1023u, 1024u, 1025u, 2047u, 2048u, 2049u}) {
      std::string text = "<" + std::string(size - 2, '\0') + ">";
      for (u32 i = 1; i + 1 < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
      user::put_bytes(pc::HEAP_START, text.data(), size);
      EXPECT_EQ(user::call(call::write, static_cast<u32>(fd), pc::HEAP_START, size),
                static_cast<i32>(size));
      EXPECT_EQ(count_of(pc::console(), text), 1u) << size;
    }
    user::close(fd);
    user::call(call::brk, pc::HEAP_START);
  });
}

// --- ticks

// The count of ticks goes past 2^31 and past 2^32 while processes run, sleep and have alarms: times
// begins again at 0 and is never taken for an error, and everything else goes on.
TEST(boundaries, the_count_of_ticks_goes_past_its_end) {
  for (const u32 end : {0x8000'0000u, 0u}) {
    pc::machine machine;
    machine.run([=] {
      jiffies = end - 20;
      const u32 to = user::room(16);
      EXPECT_EQ(user::call(call::times, to), 0x7FFF'FFFF - 19);
      u32 alarms = 0, computed = 0;
      user::set_handler(abi::sigalrm, user::handler([&](u32) { ++alarms; }));
      user::call(call::alarm, 1);
      const int busy = user::fork([&] {
        for (; computed < 30; ++computed) user::compute(1);
      });
      user::sleep_ms(150);
      const i32 before = user::call(call::times, to);
      EXPECT_GT(before, 0x7FFF'FF00);
      EXPECT_EQ(user::waitpid(busy), busy);
      EXPECT_EQ(computed, 30u);
      user::sleep_ms(1000);
      user::be_interrupted();
      EXPECT_EQ(alarms, 1u);
      const i32 after = user::call(call::times, to);
      EXPECT_GE(after, 0);
      EXPECT_LT(after, 500);
      EXPECT_GE(user::get<u32>(to + 8), 30u) << "the ticks of the child";
    });
  }
}

}  // namespace
