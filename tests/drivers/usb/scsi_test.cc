// The bytes of SCSI (scsi.h): commands, sense data, mode pages.
#include <gtest/gtest.h>

#include <vector>

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

// What MODE SENSE(6) answers: a header, block descriptors, and pages. A page is added with its
// second byte telling the length of what follows.
struct mode_data {
  explicit mode_data(u8 flags, u8 descriptors = 0) : bytes(size_t{4} + descriptors, byte{0}) {
    bytes[2] = byte{flags};
    bytes[3] = byte{descriptors};
  }
  mode_data& add(std::initializer_list<u8> page) {
    for (const u8 b : page) bytes.push_back(byte{b});
    return *this;
  }
  // The facts; the mode data length is `less` than there is.
  disk_facts facts(u8 less = 0) {
    disk_facts to;
    bytes[0] = static_cast<byte>(bytes.size() - 1 - less);
    EXPECT_TRUE(parse_mode_sense(bytes, to));
    return to;
  }
  std::vector<byte> bytes;
};

TEST(usb_scsi, finds_the_caching_page_among_others) {
  constexpr u8 protect = 0x80;
  EXPECT_FALSE(mode_data(0).add({8, 1, 0}).facts().write_cache);
  EXPECT_TRUE(mode_data(0).add({8, 1, 4}).facts().write_cache);
  EXPECT_FALSE(mode_data(0).add({0x88, 1, 0xFB}).facts().write_cache) << "it can be saved";
  EXPECT_FALSE(mode_data(0, 8).add({8, 1, 0}).facts().write_cache) << "behind a block descriptor";
  EXPECT_FALSE(mode_data(0).add({1, 2, 8, 1}).add({8, 1, 0}).facts().write_cache);
  EXPECT_FALSE(mode_data(0).add({1, 0}).add({8, 1, 0}).facts().write_cache) << "an empty page";
  EXPECT_FALSE(mode_data(0).add({0x41, 7, 0, 3, 8, 1, 4}).add({8, 1, 0}).facts().write_cache)
      << "a page with a subpage has four bytes of header";
  EXPECT_FALSE(mode_data(0).add({8, 1, 0}).add({0, 9, 9}).facts().write_cache);
  EXPECT_TRUE(mode_data(0).add({0, 1, 7}).add({8, 1, 0}).facts().write_cache)
      << "page 0 is the last one, of any form";
  EXPECT_TRUE(mode_data(0).add({0x48, 1, 0, 1, 0}).facts().write_cache) << "a subpage of 8";
  EXPECT_TRUE(mode_data(0).add({7, 1, 0}).facts().write_cache);
  EXPECT_TRUE(mode_data(0).add({8, 1, 0}).facts(1).write_cache) << "behind the end";
  EXPECT_TRUE(mode_data(0).add({0x41, 0, 1}).facts().write_cache) << "half of a header";
  EXPECT_TRUE(mode_data(0).add({8}).facts().write_cache);
  EXPECT_FALSE(mode_data(0).facts().write_protected);
  EXPECT_FALSE(mode_data(0x7F).facts().write_protected);
  EXPECT_TRUE(mode_data(protect).facts().write_protected);
  EXPECT_TRUE(mode_data(protect, 8).add({8, 1, 0}).facts().write_protected);
  disk_facts facts;
  mode_data past(0);
  past.bytes[3] = byte{255};
  EXPECT_TRUE(past.facts().write_cache) << "the pages are behind the end";
  for (size_t length = 0; length < 4; ++length)
    EXPECT_FALSE(parse_mode_sense(std::span(past.bytes).first(length), facts));
}

TEST(usb_scsi, puts_addresses_in_big_endian) {
  const scsi_command c = read_write_10(true, lba{0x01020304}, 0x0506, {});
  EXPECT_EQ(c.cdb, (std::array<u8, 16>{0x2A, 0, 1, 2, 3, 4, 0, 5, 6}));
  EXPECT_EQ(c.cdb_length, 10);
  EXPECT_EQ(c.length, 0x0506u * 512);
  const scsi_command large = read_write_16(true, lba{0x01020304}, 0x05060708, {});
  EXPECT_EQ(large.cdb, (std::array<u8, 16>{0x8A, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0}));
  EXPECT_EQ(large.cdb_length, 16);
  EXPECT_EQ(large.data, direction::out);
  EXPECT_EQ(read_write_16(false, lba{0}, 1, {}).cdb[0], 0x88);
  EXPECT_EQ(read_write_16(false, lba{0}, 1, {}).length, 512u);
}

}  // namespace
}  // namespace usb::storage
