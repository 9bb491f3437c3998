// What processes do with files, in one call each, for tests of the file system.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "fs/fs.h"

namespace sim {

// Printable text whose every character depends on its position and on `salt`.
std::string pattern(size_t size, u32 salt = 0, size_t from = 0);

// What a process would do, with the error that it would get.
result<void> write_to(fs_context& ctx, std::string_view path, std::string_view text,
                      u32 flags = abi::o_creat | abi::o_trunc);
result<std::string> read_from(fs_context& ctx, std::string_view path);
result<void> write_at(fs_context& ctx, std::string_view path, u32 position, std::string_view text,
                      u32 flags = abi::o_creat);
// The names in a directory, sorted, without . and ..
result<std::vector<std::string>> names_in(fs_context& ctx, std::string_view path);
u32 free_blocks(fs_context& ctx);
u32 free_inodes(fs_context& ctx);

// An open file that closes itself.
class opened {
 public:
  opened(fs_context& ctx, std::string_view path, u32 flags, u16 mode = 0644);
  explicit opened(file& f) : file_(&f) {}
  ~opened() { static_cast<void>(close()); }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  file& operator*() const { return *file_; }
  result<u32> write(std::string_view text) const;
  result<std::string> read(u32 size) const;
  result<void> close();

 private:
  file* file_ = nullptr;
};

template <class T>
error error_of(const result<T>& outcome) {
  return outcome ? error{} : outcome.error();
}

}  // namespace sim

#define EXPECT_OK(expression)                                               \
  do {                                                                      \
    const auto ok_outcome = (expression);                                   \
    EXPECT_TRUE(ok_outcome) << #expression << ": error "                    \
                            << static_cast<int>(sim::error_of(ok_outcome)); \
  } while (false)
#define EXPECT_ERROR(which, expression) \
  EXPECT_EQ(static_cast<int>(which), static_cast<int>(sim::error_of(expression))) << #expression
