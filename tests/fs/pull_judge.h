// The judges of a run of the pull sweep: what stands on the medium in the end, and in which order
// the medium got its commands. Each returns its complaints.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/fs/minix_image.h"
#include "tests/sim/medium.h"

namespace sim {

using complaint_list = std::vector<std::string>;

// Everything that was promised is there, and nothing else; the structure is sound.
complaint_list judge_medium(const medium& stick, const std::map<std::string, image_file>& promised,
                            bool ask_fsck);

// After an umount with the stick in its port: the superblock says VALID. An umount while the stick
// is out, with nothing held for it, leaves the superblock as it is (row 21).
complaint_list judge_state(const medium& stick);

// Rule 6, from the medium's own record: up to the first flush of an attach only the replay writes,
// and every sector that it writes was read in the same attach before the first write. Counts the
// writes that it checked.
complaint_list judge_attach(const medium& stick, attach_epoch epoch, u32& commands_verified);

// The last commands that the stick received, for the report of a failure.
std::string log_text(const medium& stick);

}  // namespace sim
