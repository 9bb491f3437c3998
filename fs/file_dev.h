// Contents of regular files and of block devices (the book's file_dev.c and block_dev.c).
#pragma once

#include <span>

#include "fs/fs.h"

// How many blocks one operation of a long write covers: leaves room in OPERATION_BLOCKS for the
// indirect blocks, the zone bitmap and the inode.
constexpr u32 WRITE_CHUNK_BLOCKS = 16;

// From and to the file's position, which they move. Short counts as POSIX says: an error is told
// only if nothing was moved before it.
result<u32> file_read(m_inode& inode, file& filp, std::span<byte> to);
result<u32> file_write(m_inode& inode, file& filp, std::span<const byte> from);
result<u32> block_read(m_inode& inode, file& filp, std::span<byte> to);
result<u32> block_write(m_inode& inode, file& filp, std::span<const byte> from);
// The size of a block device in bytes, at most what 32 bits hold. Errors: enxio, enodev.
result<u32> block_device_size(dev_id dev);
