// Contents of regular files and of block devices (the book's file_dev.c and block_dev.c).
#pragma once

#include <span>

#include "fs/fs.h"

// The most blocks that one operation of a long write covers. The rest of OPERATION_BLOCKS is room
// for the indirect blocks, the zone bitmap and the inode.
constexpr u32 WRITE_CHUNK_BLOCKS = 16;

// All four transfer bytes at filp.f_pos (a write with o_append: at the end of the file), advance
// f_pos by the number of bytes transferred, and return that number. An error after the first bytes
// ends the call with a short count; an error is returned only when no byte was transferred. All
// sleep. Reading at or behind the end returns 0. Errors of the block functions: absent, eio (the
// volume was given up), eintr, enxio, enodev; block_write at or behind the end: enospc. Errors of
// the file functions: absent, eio, eintr; file_write also enospc, efbig, erofs.
result<u32> file_read(m_inode& inode, file& filp, std::span<byte> to);
result<u32> file_write(m_inode& inode, file& filp, std::span<const byte> from);
result<u32> block_read(m_inode& inode, file& filp, std::span<byte> to);
result<u32> block_write(m_inode& inode, file& filp, std::span<const byte> from);
// The size of a block device in bytes, in whole blocks, at most what 32 bits hold. Never sleeps.
// Errors: enxio, enodev.
result<u32> block_device_size(dev_id dev);
