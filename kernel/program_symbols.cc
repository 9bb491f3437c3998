#include "kernel/program_symbols.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "kernel/elf_format.h"
#include "kernel/read_object.h"
#include "lib/format.h"

namespace {

constexpr u32 SHT_SYMTAB = 2, STT_FUNC = 2;
constexpr u32 MAX_SECTIONS = 64, MAX_SYMBOLS = 8192;
constexpr u32 SYMBOLS_AT_ONCE = 32;

struct symbol_table {
  section_header symbols, names;
};

result<symbol_table> find_symbol_table(m_inode& file) {
  const auto header = TRY(read_object<elf_header>(file, 0));
  const u32 sections = std::min<u32>(header.e_shnum, MAX_SECTIONS);
  const auto section = [&](u32 index) {
    return read_object<section_header>(file, header.e_shoff + index * u32{sizeof(section_header)});
  };
  for (u32 i = 0; i < sections; ++i) {
    const section_header found = TRY(section(i));
    if (found.sh_type != SHT_SYMTAB || found.sh_link >= sections) continue;
    return symbol_table{found, TRY(section(found.sh_link))};
  }
  return fail(error::enoent);
}

// The function symbol nearest below the address.
result<elf_symbol> nearest_symbol(m_inode& file, const section_header& table, u32 address) {
  const u32 count = std::min<u32>(table.sh_size / sizeof(elf_symbol), MAX_SYMBOLS);
  std::optional<elf_symbol> best;
  std::array<elf_symbol, SYMBOLS_AT_ONCE> symbols;
  for (u32 at = 0; at < count; at += SYMBOLS_AT_ONCE) {
    const std::span some(symbols.data(), std::min(count - at, SYMBOLS_AT_ONCE));
    const auto bytes = std::as_writable_bytes(some);
    const u32 offset = table.sh_offset + at * u32{sizeof(elf_symbol)};
    if (TRY(read_contents(file, offset, bytes)) != bytes.size()) break;
    for (const elf_symbol& symbol : some) {
      const bool is_function = (symbol.st_info & 15) == STT_FUNC;
      if (is_function && symbol.st_value <= address && (!best || symbol.st_value > best->st_value))
        best = symbol;
    }
  }
  if (!best || address - best->st_value >= std::max(best->st_size, 1u)) return fail(error::enoent);
  return *best;
}

u32 take_number(std::string_view& text) {
  u32 number = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    number = std::min(number * 10 + static_cast<u32>(text.front() - '0'), 10'000u);
    text.remove_prefix(1);
  }
  return number;
}

// The letters that may stand before a part of a name: nested, in no other file, const.
void skip_prefixes(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of("NLK"), text.size()));
}

// The qualified name of a mangled C++ function (Itanium C++ ABI, 5.1.2) without its arguments. Only
// names of the simple form are undone; any other name is given as it is.
void put_demangled(std::string_view mangled, std::span<char> to) {
  text_sink out(to);
  std::string_view rest = mangled;
  if (rest.starts_with("_Z")) {
    rest.remove_prefix(2);
    skip_prefixes(rest);
    for (u32 length = take_number(rest); length > 0 && length <= rest.size();
         length = take_number(rest)) {
      const std::string_view part = rest.substr(0, length);
      rest.remove_prefix(length);
      skip_prefixes(rest);
      if (part == "_GLOBAL__N_1") continue;  // the unnamed namespace
      out.print("%s%.*s", out.text().empty() ? "" : "::", static_cast<int>(part.size()),
                part.data());
    }
  }
  if (out.text().empty()) out.print("%.*s", static_cast<int>(mangled.size()), mangled.data());
}

}  // namespace

result<program_symbol> find_program_symbol(m_inode& program, u32 address) {
  const symbol_table table = TRY(find_symbol_table(program));
  const elf_symbol symbol = TRY(nearest_symbol(program, table.symbols, address));
  std::array<char, 128> name{};
  const auto bytes = std::as_writable_bytes(std::span(name).first(name.size() - 1));
  TRY(read_contents(program, table.names.sh_offset + symbol.st_name, bytes));

  program_symbol found{.offset = address - symbol.st_value};
  put_demangled(name.data(), found.name);
  return found;
}
