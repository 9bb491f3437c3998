// The parts of an ELF file (System V ABI, chapter 4; i386 supplement) that the kernel reads.
#pragma once

#include <array>

#include "lib/types.h"

struct elf_header {
  std::array<u8, 16> e_ident;
  u16 e_type, e_machine;
  u32 e_version, e_entry, e_phoff, e_shoff, e_flags;
  u16 e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
};
static_assert(sizeof(elf_header) == 52);

struct program_header {
  u32 p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
};
static_assert(sizeof(program_header) == 32);

struct section_header {
  u32 sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info, sh_addralign,
      sh_entsize;
};
static_assert(sizeof(section_header) == 40);

struct elf_symbol {
  u32 st_name, st_value, st_size;
  u8 st_info, st_other;
  u16 st_shndx;
};
static_assert(sizeof(elf_symbol) == 16);
