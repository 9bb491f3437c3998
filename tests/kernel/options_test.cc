// The boot options.
#include <gtest/gtest.h>

#include <string>

#include "kernel/options.h"

namespace {

TEST(options, values_and_bare_keys) {
  set_boot_options("build/replug.elf  hold=60 policy=0.11\tquiet init=");
  EXPECT_EQ(boot_option("hold"), "60");
  EXPECT_EQ(boot_option("policy"), "0.11");
  EXPECT_EQ(boot_option("quiet"), "");
  EXPECT_EQ(boot_option("init"), "");
  EXPECT_EQ(boot_option("hol"), std::nullopt);
  EXPECT_EQ(boot_option("60"), std::nullopt);
}

TEST(options, the_last_one_counts) {
  set_boot_options("hold=1 hold=2");
  EXPECT_EQ(boot_option("hold"), "2");
}

TEST(options, numbers) {
  set_boot_options("a=12 b=0 c= d=1x e=-1 f=4294967295 g=4294967296 h");
  EXPECT_EQ(boot_option_number("a"), 12u);
  EXPECT_EQ(boot_option_number("b"), 0u);
  EXPECT_EQ(boot_option_number("f"), 4294967295u);
  for (const char* none : {"c", "d", "e", "g", "h", "i"})
    EXPECT_EQ(boot_option_number(none), std::nullopt) << none;
}

TEST(options, none_at_all) {
  set_boot_options("");
  EXPECT_EQ(boot_option("hold"), std::nullopt);
  set_boot_options("   ");
  EXPECT_EQ(boot_option(""), std::nullopt);
}

TEST(options, too_long_a_line_is_cut) {
  set_boot_options("first=1 " + std::string(2000, 'x') + " last=1");
  EXPECT_EQ(boot_option("first"), "1");
  EXPECT_EQ(boot_option("last"), std::nullopt);
}

}  // namespace
