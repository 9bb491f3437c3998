#include "kernel/i386/symbols.h"

#include <algorithm>
#include <span>

namespace {

struct table_entry {
  u32 address;
  u32 name;  // offset into symbol_names
};

}  // namespace

extern "C" {
extern const u32 symbol_count;
extern const table_entry symbol_table[];
extern const char symbol_names[];
extern const char kernel_start[], text_end[];  // linker.ld
}

symbol find_symbol(u32 address) {
  const auto* at = reinterpret_cast<const char*>(address);
  if (at < kernel_start || at >= text_end) return {};
  const std::span table(symbol_table, symbol_count);
  const auto behind = std::ranges::upper_bound(table, address, {}, &table_entry::address);
  if (behind == table.begin()) return {};
  const table_entry& found = *(behind - 1);
  return {symbol_names + found.name, address - found.address};
}
