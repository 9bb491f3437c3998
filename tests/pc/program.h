// Programs as files: what the tests put on the root disk. The instructions of such a program are a
// function of the test (user.h); the file has its headers, its data, and a text of no meaning.
#pragma once

#include <vector>

#include "kernel/elf_format.h"
#include "lib/types.h"

namespace pc {

constexpr u32 TEXT_START = 0x0804'8000;  // one page
constexpr u32 ENTRY = TEXT_START + 0x100;
constexpr u32 DATA_START = 0x0804'A000;  // DATA_IN_FILE bytes of DATA_BYTE, zeros behind them
constexpr u32 DATA_IN_FILE = 5000;
constexpr u8 DATA_BYTE = 0x5D;
constexpr u32 DATA_END = DATA_START + 32 * 4096;
constexpr u32 HEAP_START = DATA_END;

// The parts of a file, to be spoiled by tests before they are joined.
struct program_file {
  elf_header header{};
  std::vector<program_header> segments;
  u32 data_offset = 0;

  explicit program_file(u32 entry = ENTRY);
  std::vector<byte> bytes() const;
};

}  // namespace pc
