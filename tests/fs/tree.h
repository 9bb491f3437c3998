// A whole tree as a process sees it, to compare two moments or two runs.
#pragma once

#include <map>
#include <string>

#include "tests/fs/files.h"

namespace sim {

struct tree_node {
  u32 mode = 0, links = 0, uid = 0, gid = 0, rdev = 0, size = 0;
  u32 mtime = 0;        // `now_time`: at or after the moment that tree_of was given
  std::string content;  // of a regular file
  bool operator==(const tree_node&) const = default;
};
constexpr u32 now_time = ~0u;

// By path below `root`; the root's own path is "".
using tree = std::map<std::string, tree_node>;

// `since`: times from then on are all the same, as two runs may differ by a second.
tree tree_of(fs_context& ctx, const std::string& root, u32 since);

// In what two trees differ, for a message; empty when they do not.
std::string difference(const tree& expected, const tree& seen);
// Whether `seen` may be what a call left that wrote a part: names and types are those of one of
// the two moments, each byte of a file is that of one of them, or a zero, and its size is not
// outside of those of the two moments; smaller only if the call truncates files first.
bool is_between(const tree& before, const tree& after, const tree& seen, bool truncates);

}  // namespace sim
