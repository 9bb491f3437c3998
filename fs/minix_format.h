// The MINIX file system, version 1, as stored on a disk. In the order of its blocks: boot block,
// superblock, inode bitmap, zone bitmap, inode table, data. A zone is one block here.
//
// - Everything is little-endian. Bit n of the inode bitmap is inode n; bit n of the zone bitmap is
//   zone n + s_firstdatazone - 1. Bit 0 of both is unused and set.
// - Names have up to 14 or 30 characters, as the magic number says; shorter ones are filled up with
//   NULs, the longest have no NUL.
// - A number read from a disk may be wrong: read_super.cc checks the superblock once, every other
//   number is checked where it is used.
#pragma once

#include "lib/endian.h"
#include "lib/ids.h"

constexpr block_nr SUPER_BLOCK_NR{1};
constexpr u16 MINIX_MAGIC_14 = 0x137F;
constexpr u16 MINIX_MAGIC_30 = 0x138F;

// s_state: cleanly unmounted; errors were found. The same bits as in Linux and fsck.minix.
constexpr u16 MINIX_VALID_FS = 1;
constexpr u16 MINIX_ERROR_FS = 2;

struct d_super_block {
  le16 s_ninodes;
  le16 s_nzones;  // blocks of the file system, counted from block 0
  le16 s_imap_blocks;
  le16 s_zmap_blocks;
  le16 s_firstdatazone;
  le16 s_log_zone_size;
  le32 s_max_size;
  le16 s_magic;
  le16 s_state;
  le32 s_zones;  // version 2 only
};
static_assert(sizeof(d_super_block) == 24);

constexpr u32 DIRECT_ZONES = 7;
constexpr u32 NR_ZONES = DIRECT_ZONES + 2;  // and one single, one double indirect
constexpr u32 ZONES_PER_BLOCK = BLOCK_SIZE / sizeof(le16);

struct d_inode {
  le16 i_mode;
  le16 i_uid;
  le32 i_size;
  le32 i_mtime;
  u8 i_gid;
  u8 i_nlinks;
  le16 i_zone[NR_ZONES];  // a device file keeps its device number in the first
};
static_assert(sizeof(d_inode) == 32);
constexpr u32 INODES_PER_BLOCK = BLOCK_SIZE / sizeof(d_inode);

constexpr ino_nr ROOT_INO{1};
constexpr u8 MINIX_LINK_MAX = 250;
constexpr u32 BITS_PER_BLOCK = BLOCK_SIZE * 8;

// The longest file that the nine zone numbers can describe, in blocks and in bytes.
constexpr u32 MAX_FILE_BLOCKS = DIRECT_ZONES + ZONES_PER_BLOCK + ZONES_PER_BLOCK * ZONES_PER_BLOCK;
constexpr u32 MAX_FILE_SIZE = MAX_FILE_BLOCKS * BLOCK_SIZE;
static_assert(MAX_FILE_SIZE == 268'966'912);

template <u32 NameLength>
struct dir_entry {
  le16 inode;  // 0: the entry is free
  char name[NameLength];
};
static_assert(sizeof(dir_entry<14>) == 16 && sizeof(dir_entry<30>) == 32);
constexpr u32 DIR_ENTRY_MAX = sizeof(dir_entry<30>);
