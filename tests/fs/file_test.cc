// Contents of files: what was written is read, whatever the size, the order and the holes.
#include <gtest/gtest.h>

#include "fs/minix_format.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"

using namespace sim;

namespace {

class Files : public testing::TestWithParam<u32> {
 protected:
  disk_options options() const { return {.name_length = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(NameLengths, Files, testing::Values(14u, 30u));

// Sizes around every border of the block tree.
constexpr std::array<u32, 14> sizes = {0,
                                       1,
                                       1023,
                                       1024,
                                       1025,
                                       7 * 1024 - 1,
                                       7 * 1024,
                                       7 * 1024 + 1,
                                       519 * 1024 - 1,
                                       519 * 1024,
                                       519 * 1024 + 1,
                                       520 * 1024,
                                       600'000,
                                       8191};

TEST_P(Files, AreReadBackAtEverySize) {
  disk_options big = options();
  big.blocks = 8192;
  const auto image = on_minix(big, [](fs_context& ctx) {
    for (u32 size : sizes) {
      const std::string path = "/f" + std::to_string(size);
      EXPECT_OK(write_to(ctx, path, pattern(size, size)));
      EXPECT_EQ(read_from(ctx, path), pattern(size, size)) << size;
      EXPECT_EQ(stat_path(ctx, path)->size, size);
    }
  });
  const minix_image seen(image);
  for (u32 size : sizes)
    EXPECT_EQ(seen.files().at("/f" + std::to_string(size)).content, pattern(size, size));
}

TEST_P(Files, AreOverwrittenInPlace) {
  on_minix(options(), [](fs_context& ctx) {
    std::string expected = pattern(20'000);
    EXPECT_OK(write_to(ctx, "/f", expected));
    const u32 used = free_blocks(ctx);
    for (u32 at : {0u, 1000u, 1024u, 5000u, 19'990u}) {
      const std::string piece = pattern(3000 + at % 7, at);
      EXPECT_OK(write_at(ctx, "/f", at, piece));
      if (expected.size() < at + piece.size()) expected.resize(at + piece.size());
      expected.replace(at, piece.size(), piece);
      EXPECT_EQ(read_from(ctx, "/f"), expected);
    }
    EXPECT_EQ(used - free_blocks(ctx), 3u) << "only the blocks past the old end are new";
  });
}

TEST_P(Files, AppendGoesToTheEndWhereverTheOffset) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "one "));
    const opened a(ctx, "/f", abi::o_wronly | abi::o_append);
    const opened b(ctx, "/f", abi::o_wronly | abi::o_append);
    EXPECT_EQ(a.write("two "), 4u);
    EXPECT_EQ(b.write("three "), 6u);
    EXPECT_OK(seek_file(*a, 0, abi::seek_set));
    EXPECT_EQ(a.write("four"), 4u);
    EXPECT_EQ(read_from(ctx, "/f"), "one two three four");
  });
}

TEST_P(Files, HolesReadAsZerosAndCostNothing) {
  on_minix(options(), [](fs_context& ctx) {
    const u32 before = free_blocks(ctx);
    const u32 far = 100 * 1024 * 1024 + 17;
    EXPECT_OK(write_at(ctx, "/f", far, "end"));
    EXPECT_EQ(before - free_blocks(ctx), 3u) << "double, single, data";
    const opened f(ctx, "/f", abi::o_rdonly);
    EXPECT_EQ(seek_file(*f, -7, abi::seek_end), far - 4);
    EXPECT_EQ(f.read(100), std::string("\0\0\0\0end", 7));
    EXPECT_OK(seek_file(*f, 50'000'000, abi::seek_set));
    EXPECT_EQ(f.read(5000), std::string(5000, '\0'));
    EXPECT_OK(unlink_path(ctx, "/f"));
  });
}

TEST_P(Files, EndAtTheLongestLength) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(write_at(ctx, "/f", MAX_FILE_SIZE - 2, "xy"));
    EXPECT_ERROR(error::efbig, write_at(ctx, "/f", MAX_FILE_SIZE, "z"));
    const opened f(ctx, "/f", abi::o_wronly);
    EXPECT_OK(seek_file(*f, static_cast<i32>(MAX_FILE_SIZE - 2), abi::seek_set));
    EXPECT_EQ(f.write("long"), 2u);
    EXPECT_ERROR(error::efbig, truncate_path(ctx, "/f", MAX_FILE_SIZE + 1));
    EXPECT_OK(truncate_path(ctx, "/f", 0));
  });
}

TEST_P(Files, AreCutAndGrownToAnyLength) {
  disk_options big = options();
  big.blocks = 4096;
  on_minix(big, [](fs_context& ctx) {
    const u32 before = free_blocks(ctx);
    const std::string whole = pattern(700'000);
    for (u32 size : sizes) {
      EXPECT_OK(write_to(ctx, "/f", whole));
      EXPECT_OK(truncate_path(ctx, "/f", size));
      std::string expected = whole.substr(0, size);
      EXPECT_EQ(read_from(ctx, "/f"), expected) << size;
      EXPECT_OK(truncate_path(ctx, "/f", size + 5000));
      expected.resize(size + 5000);
      EXPECT_EQ(read_from(ctx, "/f"), expected) << size << ": what was cut must not come back";
    }
    EXPECT_OK(unlink_path(ctx, "/f"));
    EXPECT_EQ(free_blocks(ctx), before) << "every block came back";
  });
}

// By then its zones belong to another file.
TEST_P(Files, GrowAnewAfterTheyWereCut) {
  on_minix(options(), [](fs_context& ctx) {
    for (u32 i = 0; i < 3; ++i) {
      EXPECT_OK(write_to(ctx, "/f", pattern(20'000, i)));
      EXPECT_OK(truncate_path(ctx, "/f", 0));
      EXPECT_OK(write_to(ctx, "/g" + std::to_string(i), pattern(20'000, 10 + i)));
      EXPECT_OK(write_to(ctx, "/f", pattern(20'000, 20 + i)));
    }
    for (u32 i = 0; i < 3; ++i)
      EXPECT_EQ(read_from(ctx, "/g" + std::to_string(i)), pattern(20'000, 10 + i));
    EXPECT_EQ(read_from(ctx, "/f"), pattern(20'000, 22));
  });
}

TEST_P(Files, AFullDiskWritesShortThenSaysSo) {
  disk_options small = options();
  small.blocks = 300;
  on_minix(small, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/keep", pattern(3000)));
    const u32 before = free_blocks(ctx);
    {
      const opened f(ctx, "/f", abi::o_wronly | abi::o_creat);
      const std::string much = pattern(400'000);
      const auto done = f.write(much);
      ASSERT_TRUE(done);
      EXPECT_GT(*done, 200'000u);
      EXPECT_LT(*done, 300'000u);
      EXPECT_EQ(free_blocks(ctx), 0u);
      EXPECT_ERROR(error::enospc, f.write(much));
      EXPECT_EQ(*read_from(ctx, "/f"), much.substr(0, *done));
      EXPECT_ERROR(error::enospc, make_directory(ctx, "/d", 0755));
      EXPECT_EQ(*read_from(ctx, "/keep"), pattern(3000));
    }
    EXPECT_OK(unlink_path(ctx, "/f"));
    EXPECT_EQ(free_blocks(ctx), before);
  });
}

TEST_P(Files, ATinyCacheIsEnough) {
  disk_options tiny = options();
  tiny.buffers = 16;
  tiny.slots = 64;
  on_minix(tiny, [](fs_context& ctx) {
    for (u32 i = 0; i < 3; ++i) {
      const std::string path = "/f" + std::to_string(i);
      EXPECT_OK(write_to(ctx, path, pattern(300'000, i)));
      EXPECT_EQ(read_from(ctx, path), pattern(300'000, i));
    }
  });
}

// What happens to a file leaves its time of modification, or sets it.
TEST_P(Files, TimesOfModification) {
  constexpr u32 long_ago = 1000;
  using action = std::function<void(fs_context&)>;
  const auto open_and_close = [](u32 flags) {
    return [flags](fs_context& ctx) { EXPECT_OK(opened(ctx, "/f", flags).close()); };
  };
  const std::pair<bool, action> cases[] = {
      {false, open_and_close(abi::o_rdwr)},
      {true, open_and_close(abi::o_wronly | abi::o_trunc)},
      {false, [](fs_context& ctx) { EXPECT_OK(link_path(ctx, "/f", "/g")); }},
      {false, [](fs_context& ctx) { EXPECT_OK(unlink_path(ctx, "/g")); }},
      {false, [](fs_context& ctx) { EXPECT_OK(chmod_path(ctx, "/f", 0600)); }},
      {true, [](fs_context& ctx) { EXPECT_OK(write_at(ctx, "/f", 0, "x")); }},
      {true, open_and_close(abi::o_wronly | abi::o_trunc)}};
  on_minix(options(), [&](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", ""));
    for (size_t i = 0; i < std::size(cases); ++i) {
      EXPECT_OK(utime_path(ctx, "/f", long_ago));
      cases[i].second(ctx);
      EXPECT_EQ(stat_path(ctx, "/f")->mtime != long_ago, cases[i].first) << "case " << i;
    }
  });
}

TEST_P(Files, NoFlagsContradictEachOther) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_ERROR(error::einval, open_file(ctx, "/f", abi::o_accmode, 0));
    EXPECT_ERROR(error::einval, open_file(ctx, "/f", abi::o_creat | abi::o_directory, 0644));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/f"));
  });
}

TEST_P(Files, AccessModesAreEnforced) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "text"));
    const opened reading(ctx, "/f", abi::o_rdonly);
    const opened writing(ctx, "/f", abi::o_wronly);
    EXPECT_ERROR(error::ebadf, reading.write("x"));
    EXPECT_ERROR(error::ebadf, writing.read(1));
    EXPECT_ERROR(error::einval, truncate_file(*reading, 0));
    EXPECT_ERROR(error::einval, open_file(ctx, "/f", abi::o_accmode, 0));
    EXPECT_ERROR(error::eexist, open_file(ctx, "/f", abi::o_creat | abi::o_excl, 0644));
    EXPECT_ERROR(error::eisdir, open_file(ctx, "/", abi::o_wronly, 0));
    EXPECT_ERROR(error::enotdir, open_file(ctx, "/f", abi::o_directory, 0));
    EXPECT_ERROR(error::enotdir, open_file(ctx, "/f/x", abi::o_rdonly, 0));
    EXPECT_ERROR(error::enoent, open_file(ctx, "/g", abi::o_wronly, 0));
    EXPECT_ERROR(error::enoent, open_file(ctx, "", abi::o_rdonly, 0));
    EXPECT_ERROR(error::einval, seek_file(*reading, -1, abi::seek_set));
  });
}

TEST_P(Files, PermissionsAreLookedAt) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/mine", "x"));
    EXPECT_OK(chmod_path(ctx, "/mine", 0640));
    EXPECT_OK(make_directory(ctx, "/secret", 0700));
    EXPECT_OK(make_directory(ctx, "/shared", 01777));
    ctx.umask = 0;
    EXPECT_OK(chmod_path(ctx, "/shared", 01777));
    EXPECT_OK(write_to(ctx, "/shared/roots", "x"));
    fs_context user = ctx.copy();
    user.euid = user.egid = 10;
    EXPECT_ERROR(error::eacces, open_file(user, "/mine", abi::o_rdonly, 0));
    EXPECT_ERROR(error::eacces, write_to(user, "/new", "x"));
    EXPECT_ERROR(error::eacces, stat_path(user, "/secret/x"));
    EXPECT_ERROR(error::eacces, unlink_path(user, "/mine"));
    EXPECT_ERROR(error::eperm, chmod_path(user, "/mine", 0777));
    EXPECT_OK(write_to(user, "/shared/users", "x"));
    EXPECT_ERROR(error::eperm, unlink_path(user, "/shared/roots"));
    EXPECT_OK(unlink_path(user, "/shared/users"));
    EXPECT_ERROR(error::eacces, open_program(ctx, "/mine"));
    EXPECT_OK(chmod_path(ctx, "/mine", 0755));
    EXPECT_OK(open_program(user, "/mine"));
  });
}

TEST(Files, WritersAndReadersShareAFile) {
  for_each_seed(30, [](u64 seed) {
    on_minix({.seed = seed, .buffers = 24}, [](fs_context& ctx) {
      EXPECT_OK(write_to(ctx, "/f", ""));
      in_parallel(4, [&](u32 index) {
        fs_context mine = ctx.copy();
        const opened f(mine, "/f", abi::o_rdwr | abi::o_append);
        for (u32 i = 0; i < 10; ++i) {
          EXPECT_EQ(f.write(std::string(700, static_cast<char>('a' + index))), 700u);
          const auto text = read_from(mine, "/f");
          ASSERT_TRUE(text);
          EXPECT_EQ(text->size() % 700, 0u) << "half a write was seen";
        }
      });
      const std::string whole = *read_from(ctx, "/f");
      ASSERT_EQ(whole.size(), 4 * 10 * 700u) << "a write was lost";
      for (size_t at = 0; at < whole.size(); at += 700)
        EXPECT_EQ(whole.substr(at, 700), std::string(700, whole[at]));
    });
  });
}

TEST(Files, ManyWritersNeverShareABlock) {
  for_each_seed(20, [](u64 seed) {
    on_minix({.seed = seed, .buffers = 32}, [](fs_context& ctx) {
      in_parallel(5, [&](u32 index) {
        fs_context mine = ctx.copy();
        const std::string path = "/f" + std::to_string(index);
        EXPECT_OK(write_to(mine, path, pattern(60'000, index)));
        EXPECT_OK(truncate_path(mine, path, 9000));
        EXPECT_OK(write_at(mine, path, 9000, pattern(51'000, index, 9000)));
      });
      for (u32 i = 0; i < 5; ++i)
        EXPECT_EQ(read_from(ctx, "/f" + std::to_string(i)), pattern(60'000, i));
    });
  });
}

}  // namespace
