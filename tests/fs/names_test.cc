// Names: create, link, unlink, mkdir, rmdir, rename, and races for one name.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/minix_format.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/name_model.h"

using namespace sim;

namespace {

class Names : public testing::TestWithParam<u32> {
 protected:
  disk_options options() const { return {.name_length = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(NameLengths, Names, testing::Values(14u, 30u));

TEST_P(Names, MayBeAsLongAsTheDiskAllows) {
  const u32 length = GetParam();
  on_minix(options(), [length](fs_context& ctx) {
    const std::string longest(length, 'n');
    EXPECT_OK(write_to(ctx, "/" + longest, "x"));
    EXPECT_EQ(names_in(ctx, "/"), std::vector<std::string>{longest});
    EXPECT_ERROR(error::enametoolong, write_to(ctx, "/" + longest + "n", "x"));
    EXPECT_ERROR(error::enametoolong, stat_path(ctx, "/" + longest + "n"));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/" + longest.substr(1)));
  });
}

TEST_P(Names, ADirectoryHoldsMany) {
  disk_options many = options();
  many.inodes = 800;
  many.blocks = 4096;
  on_minix(many, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    std::vector<std::string> expected;
    for (u32 i = 0; i < 500; ++i) {
      expected.push_back("n" + std::to_string(1000 + i));
      EXPECT_OK(write_to(ctx, "/d/" + expected.back(), expected.back()));
    }
    EXPECT_EQ(names_in(ctx, "/d"), expected);
    for (u32 i = 0; i < 500; i += 2) EXPECT_OK(unlink_path(ctx, "/d/" + expected[i]));
    for (u32 i = 1; i < 500; i += 2) EXPECT_EQ(read_from(ctx, "/d/" + expected[i]), expected[i]);
    EXPECT_ERROR(error::enotempty, remove_directory(ctx, "/d"));
    for (u32 i = 1; i < 500; i += 2) EXPECT_OK(unlink_path(ctx, "/d/" + expected[i]));
    EXPECT_OK(remove_directory(ctx, "/d"));
  });
}

TEST_P(Names, FreeEntriesAreUsedAgain) {
  disk_options many = options();
  many.inodes = 150;
  on_minix(many, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    for (u32 i = 0; i < 100; ++i) EXPECT_OK(write_to(ctx, "/d/f" + std::to_string(i), ""));
    const u32 size = stat_path(ctx, "/d")->size;
    for (u32 i = 0; i < 100; ++i) {
      EXPECT_OK(unlink_path(ctx, "/d/f" + std::to_string(i * 37 % 100)));
      EXPECT_OK(write_to(ctx, "/d/g" + std::to_string(i), ""));
      EXPECT_EQ(stat_path(ctx, "/d")->size, size);
    }
  });
}

TEST_P(Names, RunOutOfInodes) {
  disk_options few = options();
  few.inodes = 32;
  on_minix(few, [](fs_context& ctx) {
    const u32 all = free_inodes(ctx);
    for (u32 i = 0; i < all; ++i) EXPECT_OK(write_to(ctx, "/f" + std::to_string(i), "x"));
    EXPECT_ERROR(error::enospc, write_to(ctx, "/more", "x"));
    EXPECT_OK(unlink_path(ctx, "/f0"));
    EXPECT_OK(write_to(ctx, "/more", "x"));
  });
}

TEST_P(Names, AnUnlinkedFileLivesUntilItIsClosed) {
  on_minix(options(), [](fs_context& ctx) {
    const u32 blocks = free_blocks(ctx), inodes = free_inodes(ctx);
    {
      const opened f(ctx, "/f", abi::o_rdwr | abi::o_creat);
      EXPECT_EQ(f.write(pattern(20'000)), 20'000u);
      EXPECT_OK(unlink_path(ctx, "/f"));
      EXPECT_ERROR(error::enoent, stat_path(ctx, "/f"));
      EXPECT_EQ(f.write("more"), 4u);
      EXPECT_OK(seek_file(*f, 0, abi::seek_set));
      EXPECT_EQ(f.read(20'000), pattern(20'000));
      EXPECT_EQ(stat_file(*f)->nlink, 0);
      EXPECT_LT(free_inodes(ctx), inodes);
      EXPECT_OK(write_to(ctx, "/f", "another"));
      EXPECT_OK(unlink_path(ctx, "/f"));
    }
    EXPECT_EQ(free_blocks(ctx), blocks);
    EXPECT_EQ(free_inodes(ctx), inodes);
  });
}

TEST_P(Names, OfOneFileMayBeSeveral) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    EXPECT_OK(write_to(ctx, "/a", "text"));
    EXPECT_OK(link_path(ctx, "/a", "/d/b"));
    EXPECT_EQ(stat_path(ctx, "/a")->nlink, 2);
    EXPECT_EQ(stat_path(ctx, "/a")->ino, stat_path(ctx, "/d/b")->ino);
    EXPECT_ERROR(error::eexist, link_path(ctx, "/a", "/d/b"));
    EXPECT_ERROR(error::eperm, link_path(ctx, "/d", "/e"));
    EXPECT_ERROR(error::enoent, link_path(ctx, "/z", "/e"));
    EXPECT_OK(unlink_path(ctx, "/a"));
    EXPECT_EQ(read_from(ctx, "/d/b"), "text");
    EXPECT_ERROR(error::eisdir, unlink_path(ctx, "/d"));
    EXPECT_ERROR(error::enotdir, remove_directory(ctx, "/d/b"));
  });
}

TEST_P(Names, LinksAndSubdirectoriesAreLimited) {
  disk_options many = options();
  many.inodes = 400;
  on_minix(many, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "x"));
    EXPECT_OK(make_directory(ctx, "/l", 0755));
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    for (u32 i = 1; i < MINIX_LINK_MAX; ++i)
      EXPECT_OK(link_path(ctx, "/f", "/l/" + std::to_string(i)));
    EXPECT_ERROR(error::emlink, link_path(ctx, "/f", "/l/more"));
    for (u32 i = 2; i < MINIX_LINK_MAX; ++i)
      EXPECT_OK(make_directory(ctx, "/d/" + std::to_string(i), 0755));
    EXPECT_ERROR(error::emlink, make_directory(ctx, "/d/more", 0755));
    EXPECT_ERROR(error::emlink, rename_path(ctx, "/l", "/d/more"));
  });
}

TEST_P(Names, ARemovedDirectoryTakesNoMore) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    EXPECT_OK(make_directory(ctx, "/d/e", 0755));
    EXPECT_OK(change_directory(ctx, "/d/e"));
    EXPECT_OK(remove_directory(ctx, "/d/e"));
    EXPECT_ERROR(error::enoent, write_to(ctx, "f", "x"));
    EXPECT_ERROR(error::enoent, make_directory(ctx, "g", 0755));
    std::array<char, 100> name;
    EXPECT_ERROR(error::enoent, current_directory(ctx, name));
    EXPECT_ERROR(error::enotempty, remove_directory(ctx, "/d/.."));
    EXPECT_ERROR(error::einval, remove_directory(ctx, "/d/."));
    EXPECT_ERROR(error::ebusy, remove_directory(ctx, "/"));
    EXPECT_OK(change_directory(ctx, "/"));
  });
}

TEST_P(Names, ARemovedDirectoryHasNoEntries) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    opened d(ctx, "/d", abi::o_rdonly);
    std::array<byte, 512> records;
    EXPECT_GT(*read_directory(*d, records), 0u);
    EXPECT_OK(seek_file(*d, 0, abi::seek_set));
    EXPECT_OK(remove_directory(ctx, "/d"));
    EXPECT_ERROR(error::enoent, read_directory(*d, records));
    EXPECT_OK(d.close());
  });
}

TEST_P(Names, ASlashAtTheEndAsksForADirectory) {
  on_minix(options(), [](fs_context& ctx) {
    EXPECT_ERROR(error::enoent, make_node(ctx, "/new/", abi::s_ifreg | 0644, dev_id{}));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/new"));
    EXPECT_OK(write_to(ctx, "/f", "x"));
    EXPECT_ERROR(error::eexist, make_node(ctx, "/f/", abi::s_ifreg | 0644, dev_id{}));
    EXPECT_ERROR(error::enoent, link_path(ctx, "/f", "/new/"));
    EXPECT_ERROR(error::enotdir, unlink_path(ctx, "/f/"));
    EXPECT_ERROR(error::enotdir, stat_path(ctx, "/f/"));
    EXPECT_ERROR(error::eisdir, open_file(ctx, "/new/", abi::o_creat | abi::o_wronly, 0644));
    EXPECT_OK(make_directory(ctx, "/new/", 0755));
  });
}

TEST_P(Names, TheCurrentDirectoryIsKnown) {
  on_minix(options(), [](fs_context& ctx) {
    const auto here = [&] {
      std::array<char, 100> name{};
      const auto length = current_directory(ctx, name);
      EXPECT_TRUE(length && name[*length - 1] == '\0');
      return std::string(name.data());
    };
    EXPECT_EQ(here(), "/");
    EXPECT_OK(make_directory(ctx, "/one", 0755));
    EXPECT_OK(make_directory(ctx, "/one/two/", 0755));
    EXPECT_OK(change_directory(ctx, "one//./two/../two"));
    EXPECT_EQ(here(), "/one/two");
    EXPECT_OK(rename_path(ctx, "/one", "/three"));
    EXPECT_EQ(here(), "/three/two");
    std::array<char, 5> small;
    EXPECT_ERROR(error::erange, current_directory(ctx, small));
    EXPECT_OK(change_directory(ctx, "../../../.."));
    EXPECT_EQ(here(), "/");
  });
}

// What there is before each rename: files f and g, directories d (with d/sub in it), e (empty).
void furnish(fs_context& ctx) {
  EXPECT_OK(write_to(ctx, "/f", "f"));
  EXPECT_OK(write_to(ctx, "/g", "g"));
  EXPECT_OK(make_directory(ctx, "/d", 0755));
  EXPECT_OK(make_directory(ctx, "/d/sub", 0755));
  EXPECT_OK(make_directory(ctx, "/e", 0755));
  EXPECT_OK(link_path(ctx, "/f", "/f2"));
}

struct rename_case {
  const char* from;
  const char* to;
  error expected;
};
constexpr error fine{};
constexpr rename_case rename_cases[] = {
    {"/f", "/new", fine},
    {"/f", "/g", fine},
    {"/f", "/f", fine},
    {"/f", "/f2", fine},  // two names of one file: nothing happens
    {"/f", "/d/f", fine},
    {"/f", "/d", error::eisdir},
    {"/f", "/new/", error::enotdir},
    {"/f", "/f/", error::enotdir},
    {"/f/", "/f2", error::enotdir},
    {"/f/", "/new", error::enotdir},
    {"/d", "/new", fine},
    {"/d", "/new/", fine},
    {"/d", "/e", fine},
    {"/d", "/e/d", fine},
    {"/d/sub", "/new", fine},
    {"/d/sub", "/e", fine},
    {"/e", "/d", error::enotempty},
    {"/e", "/d/sub", fine},
    {"/d", "/f", error::enotdir},
    {"/d", "/d", fine},
    {"/d", "/d/x", error::einval},
    {"/d", "/d/sub/x", error::einval},
    {"/d/sub", "/d", error::enotempty},
    {"/nothing", "/x", error::enoent},
    {"/f", "/nothing/x", error::enoent},
    {"/f", "/g/x", error::enotdir},
    {"/d/.", "/x", error::ebusy},
    {"/d", "/e/..", error::ebusy},
    {"/", "/x", error::ebusy},
    {"/f", "/", error::ebusy},
};

TEST_P(Names, RenameMatrix) {
  for (const rename_case& c : rename_cases) {
    SCOPED_TRACE(std::string(c.from) + " -> " + c.to);
    const auto image = on_minix(options(), [&](fs_context& ctx) {
      furnish(ctx);
      const u32 inode = stat_path(ctx, c.from) ? stat_path(ctx, c.from)->ino : 0;
      EXPECT_EQ(error_of(rename_path(ctx, c.from, c.to)), c.expected);
      if (c.expected != fine) return;
      EXPECT_EQ(stat_path(ctx, c.to)->ino, inode);
      const bool same = std::string_view(c.from) == c.to || std::string_view(c.to) == "/f2";
      if (!same) {
        EXPECT_ERROR(error::enoent, stat_path(ctx, c.from));
      }
    });
  }
}

TEST(Names, ARandomLifeAgreesWithTheModel) {
  for_each_seed(40, [](u64 seed) {
    name_model expected;
    const auto image =
        on_minix({.inodes = 160, .name_length = seed % 2 ? 14u : 30u, .seed = seed, .buffers = 32},
                 [&](fs_context& ctx) {
                   for (u32 i = 0; i < 150 && !testing::Test::HasFailure(); ++i)
                     step_both(ctx, "", expected, i);
                 });
    expect_same(minix_image(image), expected);
  });
}

TEST(Names, ManyChangeThemAtOnce) {
  for_each_seed(60, [](u64 seed) {
    on_minix({.inodes = 160, .seed = seed, .buffers = 48}, [](fs_context& ctx) {
      in_parallel(4, [&](u32) {
        fs_context mine = ctx.copy();
        for (u32 i = 0; i < 60; ++i) step_alone(mine, "");
      });
    });
  });
}

TEST(Names, OneOfTwoCreatorsWins) {
  for_each_seed(40, [](u64 seed) {
    on_minix({.seed = seed}, [](fs_context& ctx) {
      u32 created = 0, linked = 0, made = 0;
      EXPECT_OK(write_to(ctx, "/f", "x"));
      in_parallel(3, [&](u32) {
        fs_context mine = ctx.copy();
        const auto f = open_file(mine, "/new", abi::o_creat | abi::o_excl, 0644);
        if (f) ++created;
        if (f) EXPECT_OK(close_file(**f));
        if (link_path(mine, "/f", "/link")) ++linked;
        if (make_directory(mine, "/dir", 0755)) ++made;
      });
      EXPECT_EQ(created, 1u);
      EXPECT_EQ(linked, 1u);
      EXPECT_EQ(made, 1u);
    });
  });
}

TEST(Names, TheTablesRunFullWithoutHarm) {
  on_minix({.blocks = 4096, .inodes = 400}, [](fs_context& ctx) {
    std::vector<file*> files;
    for (u32 i = 0; i < 200; ++i) {
      const auto f = open_file(ctx, "/f" + std::to_string(i), abi::o_creat | abi::o_wronly, 0644);
      if (!f) {
        EXPECT_EQ(f.error(), error::enfile);
        break;
      }
      files.push_back(*f);
    }
    EXPECT_EQ(files.size(), NR_FILE);
    for (file* f : files) EXPECT_OK(close_file(*f));
    // More inodes in use than the table has: current directories.
    EXPECT_OK(make_directory(ctx, "/p0", 0755));
    EXPECT_OK(make_directory(ctx, "/p1", 0755));
    std::vector<fs_context> processes;
    error last = fine;
    for (u32 i = 0; i < 300 && last == fine; ++i) {
      const std::string path = "/p" + std::to_string(i / 200) + "/" + std::to_string(i);
      last = error_of(make_directory(ctx, path, 0755));
      processes.push_back(ctx.copy());
      if (last == fine) last = error_of(change_directory(processes.back(), path));
    }
    EXPECT_EQ(last, error::enfile);
    EXPECT_GT(processes.size(), 240u);
    processes.clear();
    EXPECT_OK(write_to(ctx, "/afterwards", "x"));
  });
}

}  // namespace
