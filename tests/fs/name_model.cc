#include "tests/fs/name_model.h"

#include <gtest/gtest.h>

#include "tests/fs/minix_machine.h"

namespace sim {

namespace {

constexpr error fine{};

std::string random_path() {
  std::string path;
  const u64 depth = 1 + random_below(3);
  for (u64 i = 0; i < depth; ++i)
    path += std::string("/") + static_cast<char>('a' + random_below(4));
  return path;
}

}  // namespace

error name_model::create(const std::string& path, const std::string& content) {
  if (error e = parent_error(path); e != fine) return e;
  if (const auto at = nodes_.find(path); at != nodes_.end() && at->second.directory)
    return error::eisdir;
  nodes_[path] = {false, content};
  return fine;
}

error name_model::make_directory(const std::string& path) {
  if (error e = parent_error(path); e != fine) return e;
  if (nodes_.contains(path)) return error::eexist;
  nodes_[path] = {true, {}};
  return fine;
}

error name_model::unlink(const std::string& path) {
  if (error e = parent_error(path); e != fine) return e;
  if (!nodes_.contains(path)) return error::enoent;
  if (nodes_[path].directory) return error::eisdir;
  nodes_.erase(path);
  return fine;
}

error name_model::remove_directory(const std::string& path) {
  if (error e = parent_error(path); e != fine) return e;
  if (!nodes_.contains(path)) return error::enoent;
  if (!nodes_[path].directory) return error::enotdir;
  if (has_children(path)) return error::enotempty;
  nodes_.erase(path);
  return fine;
}

error name_model::rename(const std::string& from, const std::string& to) {
  if (error e = parent_error(from); e != fine) return e;
  if (error e = parent_error(to); e != fine) return e;
  if (!nodes_.contains(from)) return error::enoent;
  if (from == to) return fine;
  const bool directory = nodes_[from].directory;
  if (directory && to.starts_with(from + "/")) return error::einval;
  if (nodes_.contains(to)) {
    if (directory && !nodes_[to].directory) return error::enotdir;
    if (!directory && nodes_[to].directory) return error::eisdir;
    if (has_children(to)) return error::enotempty;
  }
  move(from, to);
  return fine;
}

error name_model::parent_error(const std::string& path) const {
  for (size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1)) {
    const auto at = nodes_.find(path.substr(0, slash));
    if (at == nodes_.end()) return error::enoent;
    if (!at->second.directory) return error::enotdir;
  }
  return fine;
}

bool name_model::has_children(const std::string& path) const {
  const auto next = nodes_.upper_bound(path + "/");
  return next != nodes_.end() && next->first.starts_with(path + "/");
}

void name_model::move(const std::string& from, const std::string& to) {
  std::map<std::string, node> moved;
  std::erase_if(nodes_, [&](const auto& entry) {
    const bool goes = entry.first == from || entry.first.starts_with(from + "/");
    if (goes) moved[to + entry.first.substr(from.size())] = entry.second;
    return goes;
  });
  nodes_.erase(to);
  nodes_.merge(moved);
}

void step_both(fs_context& ctx, const std::string& top, name_model& expected, u32 number) {
  const std::string path = random_path();
  const std::string other = random_path();
  const std::string real = top + path;
  switch (random_below(6)) {
    case 0:
    case 1: {
      const std::string content = pattern(random_below(12'000), number);
      ASSERT_EQ(error_of(write_to(ctx, real, content)), expected.create(path, content)) << path;
      break;
    }
    case 2:
      ASSERT_EQ(error_of(make_directory(ctx, real, 0755)), expected.make_directory(path)) << path;
      break;
    case 3: ASSERT_EQ(error_of(unlink_path(ctx, real)), expected.unlink(path)) << path; break;
    case 4:
      ASSERT_EQ(error_of(remove_directory(ctx, real)), expected.remove_directory(path)) << path;
      break;
    default:
      ASSERT_EQ(error_of(rename_path(ctx, real, top + other)), expected.rename(path, other))
          << path << " -> " << other;
  }
}

void step_alone(fs_context& ctx, const std::string& top) {
  const std::string path = top + random_path();
  switch (random_below(6)) {
    case 0: static_cast<void>(write_to(ctx, path, pattern(random_below(6000)))); break;
    case 1: static_cast<void>(make_directory(ctx, path, 0755)); break;
    case 2: static_cast<void>(unlink_path(ctx, path)); break;
    case 3: static_cast<void>(remove_directory(ctx, path)); break;
    case 4: static_cast<void>(link_path(ctx, path, top + random_path())); break;
    default: static_cast<void>(rename_path(ctx, path, top + random_path()));
  }
}

void expect_same(const minix_image& seen, const name_model& expected) {
  EXPECT_EQ(seen.files().size(), expected.nodes().size());
  for (const auto& [path, node] : expected.nodes()) {
    ASSERT_TRUE(seen.has(path)) << path;
    EXPECT_EQ(seen.files().at(path).directory, node.directory);
    EXPECT_EQ(seen.files().at(path).content, node.content) << path;
  }
}

}  // namespace sim
