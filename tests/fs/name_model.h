// Random steps on the paths of a small name space, alone or side by side with a model that says
// what each must return.
#pragma once

#include <map>
#include <string>

#include "fs/fs.h"
#include "tests/fs/minix_image.h"

namespace sim {

// What a file system must answer, kept as a map of paths. Directories have no content.
class name_model {
 public:
  struct node {
    bool directory;
    std::string content;
  };
  error create(const std::string& path, const std::string& content);
  error make_directory(const std::string& path);
  error unlink(const std::string& path);
  error remove_directory(const std::string& path);
  error rename(const std::string& from, const std::string& to);
  const std::map<std::string, node>& nodes() const { return nodes_; }

 private:
  error parent_error(const std::string& path) const;
  bool has_children(const std::string& path) const;
  void move(const std::string& from, const std::string& to);
  std::map<std::string, node> nodes_;
};

// One random step below `top`, on both; the test fails unless they agree. `number` salts contents.
void step_both(fs_context& ctx, const std::string& top, name_model& expected, u32 number);
// One random step below `top`; any answer will do.
void step_alone(fs_context& ctx, const std::string& top);
// Fails the test unless the image holds exactly the model's files.
void expect_same(const minix_image& seen, const name_model& expected);

}  // namespace sim
