// A device is enumerated through a usb::downstream_port alone (port.h): here the port is one of a
// hub, of which the controller's root hub knows nothing.
#include <memory>

#include "drivers/usb/port.h"
#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

constexpr u32 root = 1, way = 0x00042;  // port 2 of the first hub, port 4 of the second

class port_of_a_hub final : public usb::downstream_port {
 public:
  explicit port_of_a_hub(usb_function& device) : device_(device) {}

  bool plugged = true, is_lost = false, is_exchanged = false;
  usb::speed shows = usb::speed::super;
  u32 claims = 0, vacated = 0;
  std::vector<device_is> resets;

  result<void> claim(bool hot) override {
    ++claims;
    if (hot) sleep_for(100_ms);
    if (!plugged) return fail(error::enodev);
    return {};
  }
  result<usb::speed> reset(bool again, device_is which) override {
    resets.push_back(which);
    if (again) device_.bus_reset();
    sleep_for(10_ms);
    if (!plugged) return fail(error::enodev);
    return shows;
  }
  bool may_be_another() const override { return is_exchanged; }
  bool lost() const override { return is_lost; }
  usb::route route() const override { return {.string = way, .root_port = root}; }
  void vacate() override { ++vacated; }

 private:
  usb_function& device_;
};

// The stick of a bench behind a hub, and the task that serves it.
class behind_a_hub {
 public:
  explicit behind_a_hub(bench& b) : port(b.function()) {
    xhci::controller& driver = b.machine.driver();
    driver.port(root).set_protocol(0, 0);  // it is the first hub's, and not looked at
    b.hardware().put_behind_hubs(root, way);
    EXPECT_TRUE(memory.allocate(driver.context_stride()));
    b.plug();
    sleep_for(20_ms);
    device = std::make_unique<xhci::device>(driver, port, record, true, memory);
  }
  fiber serve() {
    return spawn("usb0-1.2.4", [this] { device->live(); });
  }

  void pull(bench& b) {
    b.stick.pull();
    port.plugged = false;
    device->mark_gone();
  }

  xhci::device_memory memory;
  port_of_a_hub port;
  xhci::port_record record;
  std::unique_ptr<xhci::device> device;
};

using device_is = usb::downstream_port::device_is;

// Its slot context has the way from the root hub to it, otherwise no packet would find it, and its
// own speed.
TEST(downstream_port, of_a_hub_is_all_that_an_enumeration_needs) {
  for (const u32 speed_of_the_root_port : {4u, 9u}) {
    bench b(super_speed, {.large_contexts = true, .super_speed_id = speed_of_the_root_port});
    b.run(1, [&] {
      behind_a_hub stick(b);
      const fiber task = stick.serve();
      b.until_live(1_s);
      b.works(0x71);
      EXPECT_EQ(b.hardware().slots_in_use(), 1u);
      EXPECT_EQ(stick.port.resets, std::vector{device_is::unknown});
      stick.pull(b);
      task.join();
      EXPECT_EQ(b.hardware().slots_in_use(), 0u);
      EXPECT_EQ(stick.port.claims, 1u);
      EXPECT_EQ(stick.port.vacated, 1u);
      EXPECT_FALSE(stick.record.given_up);
    });
  }
}

TEST(downstream_port, of_a_hub_is_reset_when_its_device_is_out_of_step) {
  bench b(super_speed);
  b.run(1, [&] {
    behind_a_hub stick(b);
    const fiber task = stick.serve();
    b.until_live(1_s);
    b.hang_at_the_next_write();
    b.works(0x72);
    ASSERT_GE(stick.port.resets.size(), 2u);
    EXPECT_EQ(stick.port.resets[1], device_is::served);
    stick.pull(b);
    task.join();
  });
}

// It never answers. That is told as a failure only of a device that is still there.
TEST(downstream_port, tells_whether_its_device_is_gone) {
  enum class end : u8 { stays, is_lost, is_exchanged };
  for (const end how : {end::stays, end::is_lost, end::is_exchanged}) {
    bench b(super_speed);
    b.run(1, [&] {
      behind_a_hub stick(b);
      b.stick.pull();
      stick.port.is_lost = how == end::is_lost;
      stick.port.is_exchanged = how == end::is_exchanged;
      stick.serve().join();
      EXPECT_EQ(stick.port.resets.size(), how == end::is_lost ? 1u : 3u);
      EXPECT_EQ(said("usb 0-1: no contact with the device"), how == end::stays);
      EXPECT_EQ(stick.record.given_up, how == end::stays);
      EXPECT_EQ(stick.record.visit.has_value(), how == end::stays);
    });
  }
}

TEST(downstream_port, without_a_device_or_a_known_speed_gets_no_slot) {
  for (const bool plugged : {false, true}) {
    bench b(super_speed);
    b.run(1, [&] {
      behind_a_hub stick(b);
      stick.port.plugged = plugged;
      stick.port.shows = usb::speed::none;
      const u32 before = b.hardware().commands_begun;
      stick.serve().join();
      EXPECT_EQ(b.hardware().commands_begun, before);
      EXPECT_EQ(stick.port.resets.size(), plugged ? 3u : 0u);
      EXPECT_EQ(stick.record.given_up, plugged);
      EXPECT_EQ(stick.port.vacated, 1u);
    });
  }
}

}  // namespace
}  // namespace sim
