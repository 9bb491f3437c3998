// stamp: what tells a mounted stick from its copies. At each mount for writing, a new one goes into
// the unused second sector of the superblock's block, and is durable before anything else is
// written. Linux and fsck.minix keep that sector; mkfs clears it.
//
// So of two sticks made from one image, one of which was mounted here, only that one has our stamp;
// and a stick that another Replug has mounted meanwhile has a newer one.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "lib/endian.h"
#include "lib/ids.h"

struct d_stamp {
  std::array<char, 8> magic;
  std::array<le32, 4> uuid;   // of the file system: drawn once, kept by all later stamps
  le32 generation;            // counts the mounts
  std::array<le32, 2> nonce;  // drawn for this mount
  le32 crc;                   // crc32c of all before
};
static_assert(sizeof(d_stamp) == 40);
constexpr u32 STAMP_OFFSET = SECTOR_SIZE;  // in the superblock's block

// The stamp in the superblock's block; none where there is none, or a damaged one. Never sleeps.
std::optional<d_stamp> stamp_in(std::span<const byte, BLOCK_SIZE> super);
// The stamp of the mount that comes after `last`, or of the first one. Never sleeps.
d_stamp next_stamp(const std::optional<d_stamp>& last);

bool same_file_system(const d_stamp& a, const d_stamp& b);  // by the uuid
bool same_mount(const d_stamp& a, const d_stamp& b);        // to the byte
