// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI and ext4 use it.
#pragma once

#include <span>

#include "lib/types.h"

// The checksum of `bytes`; pass an earlier result to go on where it ended.
u32 crc32c(std::span<const byte> bytes, u32 earlier = 0);
