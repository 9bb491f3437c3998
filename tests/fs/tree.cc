#include "tests/fs/tree.h"

#include <algorithm>
#include <sstream>

namespace sim {
namespace {

void walk(fs_context& ctx, const std::string& root, const std::string& below, u32 since,
          tree& seen) {
  const std::string path = root + below;
  const result<abi::stat> s = stat_path(ctx, path);
  EXPECT_OK(s);
  if (!s) return;
  const u32 mtime = s->mtime >= since ? now_time : s->mtime;
  tree_node& node = seen[below] = {s->mode, s->nlink, s->uid, s->gid, s->rdev, s->size, mtime, {}};
  const u32 type = s->mode & abi::s_ifmt;
  if (type == abi::s_ifreg) {
    const result<std::string> content = read_from(ctx, path);
    EXPECT_OK(content);
    node.content = content.value_or("");
  }
  if (type != abi::s_ifdir) return;
  const auto names = names_in(ctx, path);
  EXPECT_OK(names);
  if (!names) return;
  for (const std::string& name : *names) walk(ctx, root, below + "/" + name, since, seen);
}

std::string text_of(const tree_node& node) {
  std::ostringstream text;
  text << std::oct << node.mode << std::dec << " links " << node.links << " ids " << node.uid << ","
       << node.gid << " rdev " << node.rdev << " size " << node.size << " mtime " << node.mtime;
  return text.str();
}

bool may_be_byte(const std::string& content, size_t at, char byte) {
  return at < content.size() && content[at] == byte;
}

// A file that is there at one moment only may have no byte yet.
bool may_be_size(const tree_node* before, const tree_node* after, u32 size, bool truncates) {
  const u32 then = before ? before->size : 0, later = after ? after->size : 0;
  return size <= std::max(then, later) && (truncates || size >= std::min(then, later));
}

bool is_between(const tree_node* before, const tree_node* after, const tree_node& seen,
                bool truncates) {
  const bool like_one =
      (before && before->mode == seen.mode) || (after && after->mode == seen.mode);
  if (!like_one || !may_be_size(before, after, seen.size, truncates)) return false;
  for (size_t i = 0; i < seen.content.size(); ++i) {
    const char byte = seen.content[i];
    const bool known = byte == '\0' || (before && may_be_byte(before->content, i, byte)) ||
                       (after && may_be_byte(after->content, i, byte));
    if (!known) return false;
  }
  return true;
}

const tree_node* find(const tree& in, const std::string& path) {
  const auto found = in.find(path);
  return found == in.end() ? nullptr : &found->second;
}

}  // namespace

tree tree_of(fs_context& ctx, const std::string& root, u32 since) {
  tree seen;
  walk(ctx, root, "", since, seen);
  return seen;
}

std::string difference(const tree& expected, const tree& seen) {
  std::ostringstream text;
  for (const auto& [path, node] : expected)
    if (!seen.contains(path)) text << path << " is missing\n";
  for (const auto& [path, node] : seen) {
    const tree_node* wanted = find(expected, path);
    if (!wanted) {
      text << path << " is there\n";
      continue;
    }
    if (node == *wanted) continue;
    text << path << ": " << text_of(node) << ", expected " << text_of(*wanted)
         << (node.content == wanted->content ? "\n" : ", and another content\n");
  }
  return text.str();
}

bool is_between(const tree& before, const tree& after, const tree& seen, bool truncates) {
  for (const auto& [path, node] : seen)
    if (!is_between(find(before, path), find(after, path), node, truncates)) return false;
  for (const auto& [path, node] : before)
    if (after.contains(path) && !seen.contains(path)) return false;
  return true;
}

}  // namespace sim
