// Descriptors: correct ones are understood, and malformed ones do no harm
// (drivers/usb/descriptors.h).
#include "drivers/usb/descriptors.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace {

using bytes = std::vector<byte>;

bytes of(std::initializer_list<int> values) {
  bytes all;
  for (int value : values) all.push_back(static_cast<byte>(value));
  return all;
}

// The configuration descriptor of QEMU's usb-storage at SuperSpeed.
bytes stick_configuration() {
  return of({9, 2, 44,   0, 1,    1,    0, 0xC0, 0,                  // configuration 1
             9, 4, 0,    0, 2,    8,    6, 0x50, 0,                  // interface: SCSI over BOT
             7, 5, 0x81, 2, 0x00, 0x04, 0, 6,    0x30, 15, 0, 0, 0,  // IN, 1024 bytes, burst 16
             7, 5, 0x02, 2, 0x00, 0x04, 0, 6,    0x30, 15, 0, 0, 0});
}

TEST(usb_descriptors, reads_a_sticks_configuration) {
  const auto parsed = usb::parse_configuration(stick_configuration());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->value, 1);
  ASSERT_EQ(parsed->interface_count, 1);
  const usb::interface_info& interface = parsed->interface_list[0];
  EXPECT_EQ(interface.interface_class, 8);
  EXPECT_EQ(interface.subclass, 6);
  EXPECT_EQ(interface.protocol, 0x50);
  ASSERT_EQ(interface.endpoint_count, 2);
  EXPECT_TRUE(interface.endpoint_list[0].is_in());
  EXPECT_TRUE(interface.endpoint_list[0].is_bulk());
  EXPECT_EQ(interface.endpoint_list[0].max_packet_size, 1024);
  EXPECT_EQ(interface.endpoint_list[0].max_burst, 15);
  EXPECT_FALSE(interface.endpoint_list[1].is_in());
}

TEST(usb_descriptors, refuses_lengths_that_lie) {
  bytes zero = stick_configuration();
  zero[9] = byte{0};  // with this length the walk would never end
  EXPECT_FALSE(usb::parse_configuration(zero));

  bytes past_the_end = stick_configuration();
  past_the_end[past_the_end.size() - 6] = byte{7};
  EXPECT_FALSE(usb::parse_configuration(past_the_end));

  bytes too_short_an_endpoint = stick_configuration();
  too_short_an_endpoint[18] = byte{2};
  EXPECT_FALSE(usb::parse_configuration(too_short_an_endpoint));

  bytes more_than_there_is = stick_configuration();
  more_than_there_is[2] = byte{200};
  EXPECT_FALSE(usb::parse_configuration(more_than_there_is));

  bytes less_than_its_head = stick_configuration();
  less_than_its_head[2] = byte{4};
  EXPECT_FALSE(usb::parse_configuration(less_than_its_head));

  EXPECT_FALSE(usb::parse_configuration({}));
}

TEST(usb_descriptors, ignores_endpoints_without_interface_and_beyond_the_room) {
  bytes row =
      of({9, 2, 0, 0, 1, 1, 0, 0, 0, 7, 5, 0x81, 2, 64, 0, 0, 9, 4, 0, 0, 9, 8, 6, 0x50, 0});
  for (int number = 1; number <= 9; ++number) {
    const bytes endpoint = of({7, 5, number, 2, 64, 0, 0});
    row.insert(row.end(), endpoint.begin(), endpoint.end());
  }
  row[2] = static_cast<byte>(row.size());
  const auto parsed = usb::parse_configuration(row);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->interface_list[0].endpoint_count, usb::interface_info::max_endpoints);
  EXPECT_EQ(parsed->interface_list[0].endpoint_list[0].address, 1);
}

TEST(usb_descriptors, ignores_control_empty_and_repeated_endpoints) {
  bytes row = of({9, 2, 0,    0, 1,  1, 0, 0, 0, 9,    4, 0,  0, 9, 8, 6, 0x50, 0,  //
                  7, 5, 0x80, 2, 64, 0, 0,                                          // endpoint 0
                  7, 5, 0x81, 2, 0,  0, 0,  // packets of 0 bytes
                  7, 5, 0x82, 2, 64, 0, 0, 7, 5, 0x82, 2, 64, 0, 0});
  row[2] = static_cast<byte>(row.size());
  const auto parsed = usb::parse_configuration(row);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->interface_list[0].endpoint_count, 1);
}

TEST(usb_descriptors, one_number_is_two_endpoints) {
  bytes stick = stick_configuration();
  stick[33] = byte{0x01};
  const auto parsed = usb::parse_configuration(stick);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->interface_list[0].endpoint_count, 2);
  EXPECT_EQ(parsed->interface_list[0].endpoint_list[0].address, 0x81);
  EXPECT_EQ(parsed->interface_list[0].endpoint_list[1].address, 0x01);
}

TEST(usb_descriptors, survives_anything) {
  std::mt19937 random(20);
  for (int round = 0; round < 50'000; ++round) {
    bytes row = stick_configuration();
    const size_t changes = 1 + random() % 8;
    for (size_t i = 0; i < changes; ++i) row[random() % row.size()] = static_cast<byte>(random());
    row.resize(random() % (row.size() + 1));
    row.shrink_to_fit();
    if (const auto parsed = usb::parse_configuration(row)) {
      ASSERT_LE(parsed->interface_count, usb::configuration::max_interfaces);
      for (const usb::interface_info& interface : parsed->interfaces())
        for (const usb::endpoint& e : interface.endpoints()) {
          ASSERT_NE(e.address & 15, 0);
          ASSERT_NE(e.max_packet_size, 0);
          ASSERT_LE(e.max_burst, 15);
        }
    }
  }
}

TEST(usb_descriptors, turns_strings_into_printable_ascii) {
  std::array<char, 8> to;
  to.fill('x');
  usb::string_to_ascii(of({12, 3, ' ', 0, 'A', 0, 0xE9, 0, 0x42, 0x20, ' ', 0}), to);
  EXPECT_STREQ(to.data(), "A??");
  usb::string_to_ascii(of({255, 3, 'A', 0, 'B'}), to);  // longer than the data; half a character
  EXPECT_STREQ(to.data(), "A");
  usb::string_to_ascii(of({4, 9, 'A', 0}), to);  // not a string
  EXPECT_STREQ(to.data(), "");
  usb::string_to_ascii(of({4}), to);  // no type: nothing behind the one byte is looked at
  EXPECT_STREQ(to.data(), "");
  bytes long_one = of({42, 3});
  for (int i = 0; i < 20; ++i) long_one.insert(long_one.end(), {byte{'z'}, byte{0}});
  usb::string_to_ascii(long_one, to);
  EXPECT_STREQ(to.data(), "zzzzzzz");
}

TEST(usb_descriptors, trims_the_fields_of_scsi) {
  std::array<char, 9> to;
  usb::field_to_ascii(of({' ', 'Q', 'E', 'M', 'U', ' ', ' ', ' '}), to);
  EXPECT_STREQ(to.data(), "QEMU");
  usb::field_to_ascii(of({'a', 0x1B, '[', 'J', 0, 'x', 'x', 'x'}), to);
  EXPECT_STREQ(to.data(), "a?[J");
}

TEST(usb_descriptors, knows_which_first_packets_a_speed_allows) {
  usb::device_descriptor d{};
  d.max_packet_size0 = 9;
  EXPECT_EQ(usb::control_packet_size(d, usb::speed::super), 512);
  EXPECT_EQ(usb::control_packet_size(d, usb::speed::high), 0);
  d.max_packet_size0 = 64;
  EXPECT_EQ(usb::control_packet_size(d, usb::speed::high), 64);
  EXPECT_EQ(usb::control_packet_size(d, usb::speed::super), 0);
  d.max_packet_size0 = 0;
  EXPECT_EQ(usb::control_packet_size(d, usb::speed::full), 0);
}

}  // namespace
