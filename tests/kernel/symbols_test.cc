// Names in a program's symbol table (kernel/program_symbols.cc): how they are shown, and that a
// table is searched to its limits and no further.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernel/program_symbols.h"
#include "kernel/sched.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u8 FUNCTION = 2, GLOBAL_FUNCTION = 0x12, OBJECT = 1;
constexpr u32 SYMBOL_TABLE = 2;

struct named {
  std::string name;
  u32 value, size = 1;
  u8 info = FUNCTION;
};

// A program file whose symbol table is the section `at` of `sections`.
std::vector<byte> file_with(const std::vector<named>& symbols, u32 sections = 2, u32 at = 0) {
  pc::program_file program(0x0804'8200);
  std::vector<byte> bytes(pc::TEXT_START % 4096 + 64);
  const auto append = [&](const void* what, size_t size) {
    const auto offset = static_cast<u32>(bytes.size());
    const auto* const from = static_cast<const byte*>(what);
    bytes.insert(bytes.end(), from, from + size);
    return offset;
  };
  std::string names(1, '\0');
  std::vector<elf_symbol> table;
  for (const named& each : symbols) {
    table.push_back({static_cast<u32>(names.size()), each.value, each.size, each.info, 0, 1});
    names += each.name + '\0';
  }
  std::vector<section_header> headers(sections);
  const u32 of_names = at == 0 ? 1 : 0;
  headers[of_names].sh_offset = append(names.data(), names.size());
  headers[at].sh_type = SYMBOL_TABLE;
  headers[at].sh_link = of_names;
  headers[at].sh_size = static_cast<u32>(table.size() * sizeof(elf_symbol));
  headers[at].sh_offset = append(table.data(), table.size() * sizeof(elf_symbol));
  program.header.e_shnum = static_cast<u16>(sections);
  program.header.e_shoff = append(headers.data(), headers.size() * sizeof(section_header));
  std::memcpy(bytes.data(), &program.header, sizeof program.header);
  return bytes;
}

// What the backtrace shows for an address: name+offset, or nothing.
std::string shown(const std::vector<byte>& file, u32 address) {
  user::make_file("/tmp/p", file);
  const program_ref inode = std::move(*open_program(current->fs, "/tmp/p"));
  const auto found = find_program_symbol(*inode, address);
  user::call(call::unlink, user::text("/tmp/p"));
  return found ? found->name.data() + ("+" + std::to_string(found->offset)) : "";
}

TEST(program_symbols, names_are_shown_as_they_are_written_in_the_source) {
  pc::machine machine;
  machine.run([] {
    const std::pair<std::string, std::string> rows[] = {
        {"main", "main"},
        {"_ZN3one3twoEv", "one::two"},
        {"_ZN3one3two5threeEii", "one::two::three"},
        {"_Z3fooi", "foo"},
        {"_ZL3foov", "foo"},
        {"_ZNK3abc3getEv", "abc::get"},
        {"_ZN12_GLOBAL__N_13barEv", "bar"},
        {"_ZN12_GLOBAL__N_1L3barEv", "bar"},
        {"_ZN3oneC2Ev", "one"},
        {"_ZN10ten_letter9nine_lettE", "ten_letter::nine_lett"},
        {"_Z", "_Z"},
        {"_Z0x", "_Z0x"},
        {"_Zx", "_Zx"},
        {"_Z4abc", "_Z4abc"},
        {"_Z3abc", "abc"},
        {"_Z4294967299abc", "_Z4294967299abc"},
        {"_Z10001abc", "_Z10001abc"},
        {"Z3foo", "Z3foo"},
        {std::string(70, 'x'), std::string(63, 'x')},
        {std::string(63, 'y'), std::string(63, 'y')},
        {"_Z99" + std::string(99, 'z'), std::string(63, 'z')},
        {"_Z123" + std::string(123, 'z'), "_Z123" + std::string(58, 'z')},
        {"_Z122" + std::string(122, 'z'), std::string(63, 'z')},
        {std::string(300, 'w'), std::string(63, 'w')}};
    for (const auto& [written, expected] : rows)
      EXPECT_EQ(shown(file_with({{written, 0x1000}, {"next", 0x2000}}), 0x1000), expected + "+0");
  });
}

TEST(program_symbols, the_nearest_function_below_an_address) {
  pc::machine machine;
  machine.run([] {
    const auto file = file_with({{"c", 0x3000, 0x100},
                                 {"a", 0x1000, 0x3000, GLOBAL_FUNCTION},
                                 {"b", 0x2000, 0},
                                 {"data", 0x1004, 0x100, OBJECT},
                                 {"last", 0xFFFF'FF00, 0x100}});
    const std::pair<u32, const char*> rows[] = {{0, ""},
                                                {0xFFF, ""},
                                                {0x1000, "a+0"},
                                                {0x1010, "a+16"},
                                                {0x1FFF, "a+4095"},
                                                {0x2000, "b+0"},
                                                {0x2001, ""},
                                                {0x3000, "c+0"},
                                                {0x30FF, "c+255"},
                                                {0x3100, ""},
                                                {0xFFFF'FF00, "last+0"},
                                                {~0u, "last+255"}};
    for (const auto& [address, expected] : rows)
      EXPECT_EQ(shown(file, address), expected) << address;
  });
}

TEST(program_symbols, every_symbol_of_a_long_table_is_looked_at) {
  pc::machine machine;
  machine.run([] {
    for (const u32 count : {1u, 31u, 32u, 33u, 64u, 65u}) {
      std::vector<named> symbols;
      for (u32 i = 0; i < count; ++i) symbols.push_back({"f" + std::to_string(i), 0x1000 + i * 16});
      const auto file = file_with(symbols);
      for (const u32 i : {0u, count / 2, count - 1})
        EXPECT_EQ(shown(file, 0x1000 + i * 16), "f" + std::to_string(i) + "+0") << count;
      EXPECT_EQ(shown(file, 0x1000 + count * 16), "");
    }
  });
}

// Each block of the program is the one that cannot be read, in turn: a name is right, or none is
// shown.
TEST(program_symbols, a_program_that_cannot_be_read) {
  std::vector<named> symbols;
  const std::string long_name(50, 'f');
  for (u32 i = 0; i < 300; ++i) symbols.push_back({long_name + std::to_string(i), 0x1000 + i * 16});
  const std::vector<byte> file = file_with(symbols);
  pc::machine machine;
  pc::mounted_stick m(200);
  machine.run([&] {
    m.mount();
    user::make_file("/mnt/p", file);
    u32 after = 0;  // so many reads do not fail
    for (bool met = true; met; ++after) {
      m.umount();
      m.mount();
      program_ref inode = std::move(*open_program(current->fs, "/mnt/p"));
      m.device().fail_reads(100, after);
      const auto found = find_program_symbol(*inode, 0x1000 + 150 * 16);
      met = m.device().reads_to_fail() < 100;
      m.device().fail_reads(0);
      EXPECT_EQ(found ? found->name.data() : long_name + "150", long_name + "150") << after;
    }
    EXPECT_GT(after, 5u);
    m.remove();
  });
}

// What is looked at has limits, so that a bad table ends.
TEST(program_symbols, limits_of_a_table) {
  pc::machine machine({.pages = 4096});
  machine.run([] {
    std::vector<named> symbols(8193, {"f", 0x1000});
    symbols[8191] = {"inside", 0x2000};
    symbols[8192] = {"outside", 0x3000};
    const auto file = file_with(symbols);
    EXPECT_EQ(shown(file, 0x2000), "inside+0");
    EXPECT_EQ(shown(file, 0x3000), "");
    EXPECT_EQ(shown(file_with({{"f", 0x1000}}, 64, 63), 0x1000), "f+0");
    EXPECT_EQ(shown(file_with({{"f", 0x1000}}, 65, 64), 0x1000), "");
    EXPECT_EQ(shown(file_with({{"f", 0x1000}}, 2, 1), 0x1000), "f+0");
    auto one_section = file_with({{"f", 0x1000}});  // its names are in the section behind the last
    reinterpret_cast<elf_header*>(one_section.data())->e_shnum = 1;
    EXPECT_EQ(shown(one_section, 0x1000), "");
  });
}

}  // namespace
