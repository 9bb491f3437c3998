// What calls on names answer, in tables: dots and slashes, permissions, and the sticky bit.
#include <gtest/gtest.h>

#include <functional>

#include "fs/namei.h"
#include "tests/fs/minix_machine.h"

namespace {

using namespace sim;

struct row {
  error answer;
  std::function<error(fs_context&)> make;
};

template <class Call>
row when(error answer, Call call) {
  return {answer, [call](fs_context& ctx) { return error_of(call(ctx)); }};
}

constexpr u32 creat = abi::o_creat | abi::o_wronly;

TEST(names_edges, dots_and_slashes) {
  const row rows[] = {
      when(error::eisdir, [](auto& c) { return unlink_path(c, "/d/."); }),
      when(error::eisdir, [](auto& c) { return unlink_path(c, "/d/.."); }),
      when(error::eisdir, [](auto& c) { return unlink_path(c, "/"); }),
      when(error::eisdir, [](auto& c) { return unlink_path(c, "/d"); }),
      when(error::enotdir, [](auto& c) { return unlink_path(c, "/f/"); }),
      when(error::enotdir, [](auto& c) { return unlink_path(c, "/f/x"); }),
      when(error::enoent, [](auto& c) { return unlink_path(c, ""); }),
      when(error::enoent, [](auto& c) { return unlink_path(c, "/nothing"); }),
      when(error::einval, [](auto& c) { return remove_directory(c, "/d/."); }),
      when(error::enotempty, [](auto& c) { return remove_directory(c, "/d/.."); }),
      when(error::ebusy, [](auto& c) { return remove_directory(c, "/"); }),
      when(error::enotdir, [](auto& c) { return remove_directory(c, "/f"); }),
      when(error::enotempty, [](auto& c) { return remove_directory(c, "/d"); }),
      when(error::eexist, [](auto& c) { return make_directory(c, "/d/.", 0755); }),
      when(error::eexist, [](auto& c) { return make_directory(c, "/d/..", 0755); }),
      when(error::eexist, [](auto& c) { return make_directory(c, "/", 0755); }),
      when(error::eexist, [](auto& c) { return make_directory(c, "/f", 0755); }),
      when(error::enoent, [](auto& c) { return make_directory(c, "/no/d", 0755); }),
      when(error::enotdir, [](auto& c) { return make_directory(c, "/f/d", 0755); }),
      when(error::eperm, [](auto& c) { return link_path(c, "/d", "/e"); }),
      when(error::eexist, [](auto& c) { return link_path(c, "/f", "/d"); }),
      when(error::eexist, [](auto& c) { return link_path(c, "/f", "/d/.."); }),
      when(error::enoent, [](auto& c) { return link_path(c, "/f", "/new/"); }),
      when(error::enoent, [](auto& c) { return link_path(c, "/nothing", "/new"); }),
      when(error::enotdir, [](auto& c) { return link_path(c, "/f/", "/new"); }),
      when(error::ebusy, [](auto& c) { return rename_path(c, "/d/.", "/new"); }),
      when(error::ebusy, [](auto& c) { return rename_path(c, "/d", "/d/.."); }),
      when(error::ebusy, [](auto& c) { return rename_path(c, "/", "/new"); }),
      when(error::ebusy, [](auto& c) { return rename_path(c, "/f", "/"); }),
      when(error::enotdir, [](auto& c) { return rename_path(c, "/f/", "/new"); }),
      when(error::enotdir, [](auto& c) { return rename_path(c, "/f", "/new/"); }),
      when(error::enoent, [](auto& c) { return rename_path(c, "/nothing", "/new"); }),
      when(error::einval, [](auto& c) { return rename_path(c, "/d", "/d/sub"); }),
      when(error::einval, [](auto& c) { return rename_path(c, "/d", "/d/e/sub"); }),
      when(error::eisdir, [](auto& c) { return open_file(c, "/d", creat, 0644); }),
      when(error::eisdir, [](auto& c) { return open_file(c, "/d", abi::o_creat, 0644); }),
      when(error::eisdir, [](auto& c) { return open_file(c, "/d", abi::o_trunc, 0); }),
      when(error::eisdir, [](auto& c) { return open_file(c, "/new/", creat, 0644); }),
      when(error::eisdir, [](auto& c) { return open_file(c, "/", creat, 0644); }),
      when(error::enoent, [](auto& c) { return open_file(c, "/no/f", creat, 0644); }),
      when(error::enotdir, [](auto& c) { return open_file(c, "/f/x", creat, 0644); }),
      when(error::enotdir, [](auto& c) { return stat_path(c, "/f/"); }),
      when(error::enotdir, [](auto& c) { return stat_path(c, "/f/."); }),
      when(error{}, [](auto& c) { return stat_path(c, "/d/"); }),
      when(error{}, [](auto& c) { return stat_path(c, "//d//e//"); }),
      when(error{}, [](auto& c) { return stat_path(c, "/../../d/../f"); }),
      when(error{}, [](auto& c) { return rename_path(c, "/f", "/f"); }),
      when(error{}, [](auto& c) { return rename_path(c, "/d/", "/d"); }),
  };
  on_minix({}, [&](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    EXPECT_OK(make_directory(ctx, "/d/e", 0755));
    EXPECT_OK(write_to(ctx, "/f", "text"));
    const u32 blocks = free_blocks(ctx), inodes = free_inodes(ctx), files = files_in_use();
    for (size_t i = 0; i < std::size(rows); ++i)
      EXPECT_ERROR(rows[i].answer, result<void>(fail(rows[i].make(ctx)))) << "row " << i;
    EXPECT_EQ(free_blocks(ctx), blocks);
    EXPECT_EQ(free_inodes(ctx), inodes);
    EXPECT_EQ(files_in_use(), files);
  });
}

// A directory's names are changed with write and search permission, and with nothing else.
TEST(names_edges, permissions_of_the_directory) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0777));
    EXPECT_OK(chmod_path(ctx, "/d", 0777));
    fs_context user = ctx.copy();
    user.euid = user.egid = 5;
    for (u16 bits = 0; bits < 8; ++bits) {
      EXPECT_OK(chmod_path(ctx, "/d", 0777));
      EXPECT_OK(write_to(user, "/d/f", "x"));
      EXPECT_OK(chmod_path(ctx, "/d", bits));
      const bool may_change = (bits & 3) == 3, may_search = (bits & 1) != 0;
      EXPECT_EQ(write_to(user, "/d/new", "").has_value(), may_change) << bits;
      EXPECT_EQ(link_path(user, "/d/f", "/d/g").has_value(), may_change) << bits;
      EXPECT_EQ(rename_path(user, "/d/f", "/d/h").has_value(), may_change) << bits;
      EXPECT_EQ(make_directory(user, "/d/dir", 0755).has_value(), may_change) << bits;
      EXPECT_EQ(remove_directory(user, "/d/dir").has_value(), may_change) << bits;
      EXPECT_EQ(stat_path(user, may_change ? "/d/h" : "/d/f").has_value(), may_search) << bits;
      EXPECT_EQ(names_in(user, "/d").has_value(), (bits & 4) != 0) << bits;
      EXPECT_EQ(change_directory(user, "/d").has_value(), may_search) << bits;
      EXPECT_OK(change_directory(user, "/"));
      EXPECT_EQ(unlink_path(user, may_change ? "/d/h" : "/d/f").has_value(), may_change) << bits;
      for (const char* left : {"/d/new", "/d/f", "/d/g", "/d/h"})
        static_cast<void>(unlink_path(ctx, left));
    }
  });
}

// In a directory with the sticky bit, names are removed by root, its owner and the file's owner.
TEST(names_edges, the_sticky_bit) {
  constexpr u16 dir_owner = 10, file_owner = 11, other = 12;
  on_minix({}, [](fs_context& ctx) {
    for (const u16 mode : {u16{01777}, u16{0777}})
      for (const u16 who : {u16{0}, dir_owner, file_owner, other})
        for (u32 how = 0; how < 4; ++how) {
          fs_context user = ctx.copy(), owner = ctx.copy(), of_dir = ctx.copy();
          EXPECT_OK(chmod_path(ctx, "/", 0777));
          user.euid = who;
          owner.euid = file_owner;
          of_dir.euid = dir_owner;
          EXPECT_OK(make_directory(of_dir, "/d", 0777));
          EXPECT_OK(chmod_path(of_dir, "/d", mode));
          EXPECT_OK(write_to(owner, "/d/f", ""));
          EXPECT_OK(make_directory(owner, "/d/sub", 0777));
          EXPECT_OK(write_to(user, "/mine", ""));
          const result<void> done = how == 0   ? unlink_path(user, "/d/f")
                                    : how == 1 ? remove_directory(user, "/d/sub")
                                    : how == 2 ? rename_path(user, "/d/f", "/moved")
                                               : rename_path(user, "/mine", "/d/f");
          if (mode == 01777 && who == other) {
            EXPECT_ERROR(error::eperm, done) << how;
          } else {
            EXPECT_OK(done);
          }
          for (const char* left : {"/d/f", "/mine", "/moved"})
            static_cast<void>(unlink_path(ctx, left));
          static_cast<void>(remove_directory(ctx, "/d/sub"));
          EXPECT_OK(remove_directory(ctx, "/d"));
        }
  });
}

// Opening asks for what the flags mean.
TEST(names_edges, permissions_of_a_file_that_is_opened) {
  on_minix({}, [](fs_context& ctx) {
    fs_context user = ctx.copy();
    user.euid = user.egid = 5;
    EXPECT_OK(write_to(ctx, "/f", "text"));
    struct way {
      u32 flags;
      u32 needs;
    };
    for (const way& each : {way{abi::o_rdonly, 4}, way{abi::o_wronly, 2}, way{abi::o_rdwr, 6},
                            way{abi::o_rdonly | abi::o_trunc, 6}, way{creat, 2}})
      for (u32 bits = 0; bits < 8; ++bits) {
        EXPECT_OK(chmod_path(ctx, "/f", static_cast<u16>(bits)));
        const result<file*> f = open_file(user, "/f", each.flags, 0644);
        EXPECT_EQ(f.has_value(), (each.needs & ~bits) == 0) << each.flags << " with " << bits;
        if (f) EXPECT_OK(close_file(**f));
      }
    EXPECT_OK(chmod_path(ctx, "/f", 0001));
    EXPECT_OK(open_program(user, "/f"));
    EXPECT_OK(chmod_path(ctx, "/f", 0110));
    EXPECT_ERROR(error::eacces, open_program(user, "/f"));
    EXPECT_OK(open_program(ctx, "/f"));
    EXPECT_ERROR(error::eacces, open_program(ctx, "/"));
    EXPECT_ERROR(error::enoent, open_program(ctx, "/g"));
  });
}

}  // namespace
