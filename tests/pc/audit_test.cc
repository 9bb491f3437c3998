// The look at what is left behind (machine.h) tells of each kind, left behind on purpose.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <string>

#include "mm/page.h"
#include "mm/page_table.h"
#include "tests/pc/machine.h"
#include "tests/pc/mmu.h"
#include "tests/pc/user.h"

namespace pc {
namespace {

// A page that one entry refers to, and that claims another reference.
void share_a_page_alone() {
  u32 page = 0;
  mmu::for_each_user_page([&](u32 entry) { page = entry / PAGE_SIZE * PAGE_SIZE; });
  share_page(direct_map(page));
}

struct row {
  const char* told;
  void (*leave)();
};

const row rows[] = {
    {"pages: free ones and those of process 1", [] { EXPECT_TRUE(get_free_page()); }},
    {"places in the task array", [] { user::fork([] { user::exit(0); }); }},
    {"references to inodes", [] { user::open("/tmp"); }},
    {"open files", [] { user::open("/tmp"); }},
    {"page ", share_a_page_alone},
};

TEST(audit_of_the_machine, tells_what_is_left_behind) {
  for (const row& each : rows) {
    testing::TestPartResultArray told;
    {
      const testing::ScopedFakeTestPartResultReporter reporter(&told);
      machine bare;
      bare.run(each.leave);
    }
    bool found = false;
    for (int i = 0; i < told.size(); ++i)
      found |= std::string(told.GetTestPartResult(i).message()).contains(each.told);
    EXPECT_TRUE(found) << each.told;
  }
}

TEST(audit_of_the_machine, tells_nothing_else) {
  machine bare;
  bare.run([] { EXPECT_EQ(user::close(user::open("/tmp")), 0); });
}

}  // namespace
}  // namespace pc
