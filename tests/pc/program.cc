#include "tests/pc/program.h"

#include <cstring>

namespace pc {

namespace {
constexpr u32 PAGE = 4096;
constexpr u32 PT_LOAD = 1, EXECUTE = 1, WRITE = 2, READ = 4;
}  // namespace

program_file::program_file(u32 entry) : data_offset(PAGE) {
  header = {.e_ident = {0x7F, 'E', 'L', 'F', 1, 1, 1},
            .e_type = 2,
            .e_machine = 3,
            .e_version = 1,
            .e_entry = entry,
            .e_phoff = sizeof(elf_header),
            .e_shoff = 0,
            .e_flags = 0,
            .e_ehsize = sizeof(elf_header),
            .e_phentsize = sizeof(program_header),
            .e_phnum = 2,
            .e_shentsize = 0,
            .e_shnum = 0,
            .e_shstrndx = 0};
  segments.push_back({PT_LOAD, 0, TEXT_START, 0, PAGE, PAGE, READ | EXECUTE, PAGE});
  segments.push_back({PT_LOAD, data_offset, DATA_START, 0, DATA_IN_FILE, DATA_END - DATA_START,
                      READ | WRITE, PAGE});
}

std::vector<byte> program_file::bytes() const {
  std::vector<byte> file(data_offset + DATA_IN_FILE, byte{DATA_BYTE});
  std::memset(file.data(), 0x90, data_offset);
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + sizeof header, segments.data(),
              segments.size() * sizeof(program_header));
  return file;
}

}  // namespace pc
