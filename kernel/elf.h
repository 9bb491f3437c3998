// elf: static i386 programs as they stand in a file (System V ABI, chapters 4 and 5).
//
// The file is not trusted: every number in it is checked before it is used, and a file with a bad
// number is no program (enoexec).
#pragma once

#include <array>
#include <span>

#include "fs/fs.h"
#include "lib/result.h"
#include "mm/address_space.h"

constexpr u32 MAX_SEGMENTS = 8;

// A program's areas, whose pages are read from its file at the first access, and the address of its
// first instruction.
struct elf_image {
  u32 entry = 0;
  u32 end = 0;  // of the data: the heap begins on the next page
  std::array<vm_area, MAX_SEGMENTS> segments{};
  u32 nr_segments = 0;
  std::span<const vm_area> areas() const { return {segments.data(), nr_segments}; }
};

// Reads and checks the headers. Each area has a reference to the inode. Sleeps.
// Errors: enoexec, eio, eintr.
result<elf_image> read_elf(m_inode& program);
