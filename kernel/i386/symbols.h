// The kernel's own function names, in a table that tools/symbols.py makes at link time.
#pragma once

#include <string_view>

#include "lib/types.h"

struct symbol {
  std::string_view name;  // empty: the address is in no function
  u32 offset = 0;         // of the address inside the function
};

symbol find_symbol(u32 address);
