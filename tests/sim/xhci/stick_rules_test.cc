// The simulated stick's rules for its logical units (BOT, 3.2 and 6.2), by hand: without a
// controller.
#include <gtest/gtest.h>

#include <cstring>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/stick.h"

namespace sim {
namespace {

constexpr u8 in_endpoint = 1, out_endpoint = 2;

// A configured stick with two units of 64 sectors.
struct hand {
  hand() { stick.add_unit(second); }
  void begin() {
    time.start();
    stick.attached(bus_speed::super);
    stick.setup({0x00, 9, 1});
  }
  // GET MAX LUN; empty when it is refused.
  std::vector<byte> max_lun(u8 value = 0, u8 index = 0, u8 length = 1) {
    stick.setup({0xA1, 0xFE, value, 0, index, 0, length});
    return stick.in(0, 512).data;
  }
  // WRITE(10) of one sector to this unit.
  handshake write(u8 unit, byte value) {
    std::array<byte, 31> cbw{};
    std::memcpy(cbw.data(), "USBC", 4);
    cbw[9] = byte{2};  // 512 bytes
    cbw[13] = byte{unit};
    cbw[14] = byte{10};
    cbw[15] = byte{0x2A};
    cbw[23] = byte{1};
    const handshake taken = stick.out(out_endpoint, cbw);
    sleep_for(10_ms);
    if (taken == handshake::ack) stick.out(out_endpoint, std::vector<byte>(SECTOR_SIZE, value));
    sleep_for(10_ms);
    return taken;
  }
  u8 status() { return static_cast<u8>(stick.in(in_endpoint, 1024).data.at(12)); }

  medium first{64}, second{64};
  timeline time;
  usb_stick stick{first, time};
};

void by_hand(const std::function<void(hand&)>& test) {
  hand h;
  run(1, [&] {
    h.begin();
    h.stick.disk().failures.clear();  // the second one keeps its unit attention
    test(h);
  });
}

TEST(stick_rules, get_max_lun_tells_the_last_unit) {
  by_hand([](hand& h) {
    EXPECT_EQ(h.max_lun(), std::vector{byte{1}});
    EXPECT_TRUE(h.max_lun(1).empty());
    EXPECT_TRUE(h.max_lun(0, 1).empty());
    EXPECT_TRUE(h.max_lun(0, 0, 2).empty());
  });
}

TEST(stick_rules, a_command_goes_to_the_unit_of_its_lun) {
  by_hand([](hand& h) {
    EXPECT_EQ(h.write(0, byte{1}), handshake::ack);
    EXPECT_EQ(h.status(), 0);
    EXPECT_EQ(h.write(1, byte{2}), handshake::ack);
    EXPECT_EQ(h.status(), 1) << "the unit attention of power-on is its own";
    EXPECT_EQ(h.write(1, byte{2}), handshake::ack);
    EXPECT_EQ(h.status(), 0);
    EXPECT_EQ(h.first.newest(0)[0], byte{1});
    EXPECT_EQ(h.second.newest(0)[0], byte{2});
  });
}

// It is not meaningful: as after an invalid one both endpoints stall until a reset.
TEST(stick_rules, a_command_to_a_unit_that_there_is_not_is_refused) {
  for (const u8 unit : {u8{2}, u8{15}, u8{0x10}, u8{0x81}})
    by_hand([=](hand& h) {
      EXPECT_EQ(h.write(unit, byte{1}), handshake::stall);
      EXPECT_EQ(h.stick.in(in_endpoint, 1024).answer, handshake::stall);
      EXPECT_EQ(h.write(0, byte{1}), handshake::stall);
      EXPECT_EQ(h.first.cached_sectors() + h.second.cached_sectors(), 0u);
    });
}

TEST(stick_rules, a_reset_is_one_of_all_units) {
  by_hand([](hand& h) {
    medium::sector content{};
    for (medium* each : {&h.first, &h.second}) ASSERT_TRUE(each->write_sector(3, content));
    h.stick.bus_reset();
    EXPECT_EQ(h.first.cached_sectors() + h.second.cached_sectors(), 0u);
  });
}

}  // namespace
}  // namespace sim
