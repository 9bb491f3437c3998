// For tests of what a user sees when a stick goes and comes back (docs/checkpoint.md, The semantics
// table): a stick that is mounted on /mnt.
#pragma once

#include <functional>

#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace sim {

constexpr u32 mounted_blocks = 400;

// A world with such a stick.
void with_mounted_stick(u64 seed, const boot_options& options,
                        const std::function<void(medium&, session&)>& body);
void with_mounted_stick(const std::function<void(medium&, session&)>& body);
// And another one, which is mounted on /mnt2.
void with_two_mounted_sticks(
    const std::function<void(medium& stick, medium& other, session&)>& body);

// Creates the file and pulls the stick before anything of it has been written.
void write_and_pull(medium& stick, session& process, const std::string& path,
                    const std::string& content);
// Plugs the missing stick in for a while and pulls it again. Returns whether it was taken for the
// missing one; if not, nothing may have been written to it.
bool is_taken_back(medium& stick);
// Unmounts, and reads the medium without the kernel's code.
void expect_on_medium(medium& stick, session& process, const std::string& path,
                      const std::string& content);

}  // namespace sim
