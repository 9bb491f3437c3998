// The distinct numbers of the kernel: a unit never depends on a comment.
#pragma once

#include "lib/strong_id.h"
#include "lib/types.h"

// A block of BLOCK_SIZE bytes on a device (the book's b_blocknr), counted from the device's start.
using block_nr = strong_id<struct block_nr_tag, u32>;
constexpr u32 BLOCK_SIZE = 1024;

// A sector of a medium, in the unit of its logical block address; always SECTOR_SIZE here.
using lba = strong_id<struct lba_tag, u32>;
constexpr u32 SECTOR_SIZE = 512;
constexpr u32 SECTORS_PER_BLOCK = BLOCK_SIZE / SECTOR_SIZE;

// An inode's number on its file system; 0 is none, 1 is the root.
using ino_nr = strong_id<struct ino_nr_tag, u16>;

// An address as the bus sees it. Never cast from a pointer: ask hal/dma.h.
using phys_addr = strong_id<struct phys_addr_tag, u64>;

// A device's name: major and minor number as in Linux. It says nothing about what is plugged in.
class dev_id {
 public:
  constexpr dev_id() = default;
  constexpr explicit dev_id(u16 value) : value_(value) {}
  constexpr dev_id(u8 major, u8 minor) : value_(static_cast<u16>(major << 8 | minor)) {}

  constexpr u16 value() const { return value_; }
  constexpr u8 major() const { return static_cast<u8>(value_ >> 8); }
  constexpr u8 minor() const { return static_cast<u8>(value_); }
  constexpr explicit operator bool() const { return value_ != 0; }
  constexpr auto operator<=>(const dev_id&) const = default;

 private:
  u16 value_ = 0;
};
