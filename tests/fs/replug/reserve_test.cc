// What a stick that comes back needs is reserved at boot: a full memory, a full table of tasks and
// whatever else is plugged in keep it out no more than an empty machine does.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/memory.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

// A device that is there and answers nothing.
class mute_device final : public usb_function {
 public:
  void attached(bus_speed) override {}
  void bus_reset() override {}
  void set_address(u8) override {}
  u8 address() const override { return 0; }
  void setup(const std::array<u8, 8>&) override {}
  handshake out(u8, std::span<const byte>) override { return handshake::nak; }
  packet in(u8, u32) override { return {}; }
};

void nothing_is_left() {
  memory().refuse_all();
  fill_task_table();
}

// A stick that is mounted and has been pulled with a file unwritten; then `meanwhile`, and it comes
// back into another port.
void comes_back(u32 sticks, const std::function<void(usb_machine&)>& meanwhile) {
  for_each_seed(5, [&](u64 seed) {
    medium stick(mkfs_minix(400));
    std::vector<std::unique_ptr<medium>> others;
    for (u32 i = 1; i < sticks; ++i) others.push_back(std::make_unique<medium>(mkfs_minix(64 + i)));
    usb_machine machine;
    world world({.seed = seed, .time_limit = 3000_s});
    world.run([&] {
      session process(boot_with_root());
      machine.power_on();
      stick.plug(machine.port(1));
      await_state(sda, volume_state::live);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/file", pattern(40'000, 3)));
      stick.pull({.loss = cache_loss::some});
      await_state(sda, volume_state::absent);
      meanwhile(machine);
      for (u32 i = 0; i < others.size(); ++i) others[i]->plug(machine.port(i + 3));
      stick.plug(machine.port(2));
      const instant plugged = now();
      await_state(sda, volume_state::live);
      EXPECT_LT((now() - plugged).seconds(), 10);
      EXPECT_EQ(memory().refused(), 0u) << "memory was asked for";
      memory().refuse_none();
      for (u32 i = 0; i < others.size(); ++i)
        await_state(dev_id(8, static_cast<u8>(16 * (i + 1))), volume_state::live);
      EXPECT_TRUE(process.umount());
      stick.pull({.loss = cache_loss::all});
      sleep_for(3_s);
    });
    EXPECT_EQ(fsck_minix(stick.durable()), "");
    EXPECT_EQ(minix_image(stick.durable()).files().at("/file").content, pattern(40'000, 3));
  });
}

TEST(a_returning_stick, needs_no_memory_and_no_task) {
  comes_back(1, [](usb_machine&) { nothing_is_left(); });
}

// Each of them is served: one does not take what another needs.
TEST(a_returning_stick, needs_none_with_other_sticks_beside_it) {
  comes_back(3, [](usb_machine&) { nothing_is_left(); });
}

TEST(a_returning_stick, does_not_wait_for_devices_that_answer_nothing) {
  static std::array<mute_device, 2> devices;
  comes_back(1, [](usb_machine& machine) {
    nothing_is_left();
    machine.controller().plug(3, devices[0]);
    machine.controller().plug(4, devices[1]);
  });
}

// A reference to the plug before this one is still held: the port's attendant waits until it is
// given up, and then serves the stick without another event of the port.
TEST(a_returning_stick, is_served_when_its_last_plug_is_over) {
  medium stick(mkfs_minix(400));
  usb_machine machine;
  world world({});
  world.run([&] {
    session process(boot_with_root());
    machine.power_on();
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/file", "held"));
    block_device& plug = *resolve(sda)->device;
    plug.hold();
    stick.pull();
    await_state(sda, volume_state::absent);
    stick.plug(machine.port(1));
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    plug.drop();
    await_state(sda, volume_state::live);
    EXPECT_TRUE(process.umount());
    stick.pull();
    sleep_for(3_s);
  });
}

// At boot an allocation may fail: it is told, and tried again with what there is by then.
TEST(the_reserve, is_made_in_several_attempts_if_need_be) {
  for (u64 nth = 1;; ++nth) {
    bool failed = false;
    medium stick(mkfs_minix(400));
    usb_machine machine({.scratchpads = 8});
    world world({.seed = nth});
    world.run([&] {
      session process(boot_with_root());
      {
        const kept_memory for_ever;
        memory().refuse_one(nth);
        machine.power_on();
        failed = memory().refused() > 0;
        if (failed) memory().refuse_one(1);  // and once more, for run()
        stick.plug(machine.port(1));
        await_state(sda, volume_state::live);
      }
      if (failed) {
        EXPECT_TRUE(said("does not start (error 12)"));
      }
      ASSERT_TRUE(process.mount());
      EXPECT_TRUE(process.umount());
      stick.pull();
      sleep_for(3_s);
      EXPECT_EQ(machine.controller().slots_in_use(), 0u);
    });
    if (world.panicked() || !failed) {
      EXPECT_GT(nth, 20u);
      return;
    }
  }
}

}  // namespace
}  // namespace sim
