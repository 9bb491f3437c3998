// The bytes of SCSI (scsi.h): commands, sense data, mode pages.
#include <gtest/gtest.h>

#include "drivers/usb/storage/scsi.h"

namespace usb::storage {
namespace {

TEST(usb_scsi, reads_both_formats_of_sense) {
  std::array<byte, 18> fixed{};
  fixed[0] = byte{0xF0};
  fixed[2] = byte{0x26};
  fixed[12] = byte{0x29};
  fixed[13] = byte{1};
  EXPECT_EQ(parse_sense(fixed).key, 6);
  EXPECT_EQ(parse_sense(fixed).asc, 0x29);
  EXPECT_EQ(parse_sense(fixed).ascq, 1);
  const std::array<byte, 4> by_descriptor{byte{0x72}, byte{2}, byte{0x3A}, byte{0}};
  EXPECT_EQ(parse_sense(by_descriptor).key, 2);
  EXPECT_EQ(parse_sense(by_descriptor).asc, 0x3A);
  EXPECT_FALSE(parse_sense(fixed).deferred || parse_sense(by_descriptor).deferred);
  EXPECT_EQ(parse_sense({}).key, 0);
  EXPECT_EQ(parse_sense(std::span(fixed).first(3)).asc, 0);
}

// SPC-4, 4.5.5: with any sense key, the error is that of an earlier command.
TEST(usb_scsi, tells_a_deferred_error_by_its_response_code) {
  for (const u8 code : {u8{0x71}, u8{0xF1}, u8{0x73}}) {
    std::array<byte, 18> data{};
    data[0] = byte{code};
    data[1] = data[2] = byte{6};
    data[12] = byte{0x29};
    EXPECT_TRUE(parse_sense(data).deferred);
    EXPECT_EQ(judge(parse_sense(data)), verdict::deferred);
  }
}

TEST(usb_scsi, judges_what_a_failure_means) {
  EXPECT_EQ(judge({6, 0x29, 0}), verdict::reset);
  EXPECT_EQ(judge({6, 0x28, 0}), verdict::medium_changed);
  EXPECT_EQ(judge({6, 0x3A, 0}), verdict::no_medium);
  EXPECT_EQ(judge({6, 0x2A, 0}), verdict::attention);
  EXPECT_EQ(judge({2, 0x3A, 0}), verdict::no_medium);
  EXPECT_EQ(judge({2, 0x04, 1}), verdict::becoming_ready);
  EXPECT_EQ(judge({5, 0x20, 0}), verdict::not_supported);
  EXPECT_EQ(judge({5, 0x21, 0}), verdict::out_of_range);
  EXPECT_EQ(judge({5, 0x24, 0}), verdict::not_supported);
  EXPECT_EQ(judge({5, 0x26, 0}), verdict::failed);
  EXPECT_EQ(judge({1, 0x17, 0}), verdict::recovered);
  EXPECT_EQ(judge({7, 0x27, 0}), verdict::write_protected);
  EXPECT_EQ(judge({0x0B, 0, 6}), verdict::retry);
}

TEST(usb_scsi, reads_the_write_cache_behind_any_header) {
  disk_facts facts;
  const std::array<byte, 8> plain{byte{7}, {}, {}, {}, byte{0x08}, byte{0x12}, byte{0}, {}};
  EXPECT_TRUE(parse_mode_sense(plain, facts));
  EXPECT_FALSE(facts.write_cache);
  EXPECT_FALSE(facts.write_protected);
  std::array<byte, 16> with_descriptor{};
  with_descriptor[2] = byte{0x80};
  with_descriptor[3] = byte{8};
  with_descriptor[12] = byte{0x88};
  with_descriptor[14] = byte{4};
  EXPECT_TRUE(parse_mode_sense(with_descriptor, facts));
  EXPECT_TRUE(facts.write_cache);
  EXPECT_TRUE(facts.write_protected);
  with_descriptor[3] = byte{255};  // the page is past the end
  facts.write_cache = true;
  EXPECT_TRUE(parse_mode_sense(with_descriptor, facts));
  EXPECT_TRUE(facts.write_cache);
  EXPECT_FALSE(parse_mode_sense(std::span(plain).first(3), facts));
}

TEST(usb_scsi, puts_addresses_in_big_endian) {
  const scsi_command c = read_write_10(true, lba{0x01020304}, 0x0506, {});
  EXPECT_EQ(c.cdb, (std::array<u8, 16>{0x2A, 0, 1, 2, 3, 4, 0, 5, 6}));
  EXPECT_EQ(c.cdb_length, 10);
  EXPECT_EQ(c.length, 0x0506u * 512);
}

}  // namespace
}  // namespace usb::storage
