// Names of a program's functions, from the symbol table of its ELF file, for the backtrace of a
// program that was killed by a fault. The file is not trusted: with any content the search ends and
// stays inside the file.
#pragma once

#include <array>

#include "fs/fs.h"
#include "lib/result.h"

struct program_symbol {
  std::array<char, 64> name{};  // demangled as far as it goes, cut to fit
  u32 offset = 0;               // of the address inside the function
};

// The function that `address` is in. Sleeps. Errors: enoent, those of reading the file.
result<program_symbol> find_program_symbol(m_inode& program, u32 address);
