// The waits for a stick: for what, and how long, to the exact moment of simulated time.
#include <gtest/gtest.h>

#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/settings.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/fs/checkpoint/alone/told_machine.h"

namespace {

using namespace sim;
using checkpoint::volume_state;

void with_stick(const std::function<void(told_plug&)>& body) {
  run(1, [&] {
    checkpoint::current_settings() = {.hold = 100_s, .io_wait = 7_s};
    make_checkpoint();
    told_plug plug;
    body(plug);
  });
}

// Whether a task that waits in `call` gets this answer, so much later.
void expect_wait(const char* what, std::function<result<void>()> call, result<void> expected,
                 duration after, const std::function<void(const fiber&)>& meanwhile) {
  const waited got = wait_in_task(std::move(call), meanwhile);
  EXPECT_EQ(got.outcome, expected) << what;
  EXPECT_EQ(got.took.ns, after.ns) << what;
}

const auto nothing_happens = [](const fiber&) {};
const auto after_3_s = [](const std::function<void(const fiber&)>& event) {
  return [event](const fiber& waiting) {
    sleep_for(3_s);
    event(waiting);
  };
};
const auto a_signal_comes = after_3_s([](const fiber& waiting) { waiting.signal(); });

result<void> wait_at_the_door(dev_id dev) {
  return checkpoint::at_the_door([dev] { return checkpoint::require_stick(dev); });
}

TEST(waits, for_a_stick_end_with_it_or_with_io_wait) {
  with_stick([](told_plug& plug) {
    const dev_id sda = plug.v->disk;
    const auto wait = [&] { return wait_at_the_door(sda); };
    expect_wait("live", wait, {}, {}, nothing_happens);
    EXPECT_FALSE(checkpoint::absent(sda));
    sim::pin(sda);
    plug.hold_blocks(1);
    plug.pull();
    EXPECT_TRUE(checkpoint::absent(sda));
    EXPECT_EQ((plug.v->remind_at - now()).ns, (2_s).ns);
    expect_wait("nothing happens", wait, fail(error::eio), 7_s, nothing_happens);
    expect_wait("a signal", wait, fail(error::eintr), 3_s, a_signal_comes);
    expect_wait("it is another stick", wait, fail(error::eio), 7_s,
                after_3_s([&](auto&) { const checkpoint::verification other(*plug.v); }));
    expect_wait("it returns", wait, {}, 3_s, after_3_s([&](auto&) { plug.come_back(); }));
    plug.hold_blocks(1);
    plug.pull();
    expect_wait("it is given up", wait, fail(error::eio), 3_s,
                after_3_s([&](auto&) { checkpoint::dropped(*plug.v); }));
    expect_wait("it was given up", wait, fail(error::eio), {}, nothing_happens);
    EXPECT_TRUE(checkpoint::dead(sda));
    EXPECT_FALSE(checkpoint::absent(sda));
    sim::unpin(sda);
    expect_wait("there is none", wait, {}, {}, nothing_happens);
    EXPECT_FALSE(checkpoint::dead(sda) || checkpoint::absent(sda));
  });
}

TEST(waits, end_when_the_name_is_released) {
  with_stick([](told_plug& plug) {
    const dev_id sda = plug.v->disk;
    sim::pin(sda);
    plug.pull();
    expect_wait(
        "unmounted", [&] { return wait_at_the_door(sda); }, {}, 3_s,
        after_3_s([&](auto&) { sim::unpin(sda); }));
  });
}

// A task has begun to change a block, and the stick is pulled.
result<void> require_in_a_change(told_plug& plug) {
  operation op = TRY(operation::begin(plug.v->disk));
  op.begin_step();
  plug.pull();
  return checkpoint::require_stick(plug.v->disk);
}

// An operation that has changed a block must be completed: neither io_wait nor a signal ends its
// wait.
TEST(waits, of_an_operation_have_no_end_but_the_sticks) {
  with_stick([](told_plug& plug) {
    const dev_id sda = plug.v->disk;
    const auto begun = [&] { return require_in_a_change(plug); };
    expect_wait("it returns", begun, {}, 50_s, [&](const fiber& waiting) {
      waiting.signal();
      sleep_for(50_s);
      plug.come_back();
    });
    sim::pin(sda);
    expect_wait("it is given up", begun, fail(error::eio), 50_s, [&](const fiber&) {
      sleep_for(50_s);
      checkpoint::expired(*plug.v);
    });
    sim::unpin(sda);
  });
}

TEST(waits, of_umount_are_for_what_is_held) {
  with_stick([](told_plug& plug) {
    const dev_id sda = plug.v->disk;
    const auto settle = [&] { return checkpoint::settle(sda, false); };
    const auto force = [&] { return checkpoint::settle(sda, true); };
    expect_wait(
        "no volume", [] { return checkpoint::settle(dev_id(8, 16), true); }, {}, {},
        nothing_happens);
    sim::pin(sda);
    plug.hold_blocks(1);
    expect_wait("plugged in", settle, {}, {}, nothing_happens);
    expect_wait("plugged in, forced", force, {}, {}, nothing_happens);
    plug.disk->die();
    expect_wait("gone a moment ago", force, fail(error::eio), 3_s,
                after_3_s([&](auto&) { checkpoint::pulled(*plug.v); }));
    EXPECT_EQ(plug.v->state, volume_state::dead) << "forced";
    sim::unpin(sda);
    plug.arrive();
    sim::pin(sda);
    plug.pull();
    expect_wait("nothing held", settle, {}, {}, nothing_happens);
    expect_wait("nothing held, forced", force, {}, {}, nothing_happens);
    EXPECT_EQ(plug.v->state, volume_state::absent) << "nothing was given up";
    plug.come_back();
    plug.hold_blocks(1);
    plug.pull();
    expect_wait("a signal", settle, fail(error::eintr), 3_s, a_signal_comes);
    expect_wait("given up", settle, fail(error::eio), 3_s,
                after_3_s([&](auto&) { checkpoint::expired(*plug.v); }));
    sim::unpin(sda);
    plug.arrive();
    sim::pin(sda);
    plug.hold_blocks(1);
    plug.pull();
    expect_wait("it returns", settle, {}, 3_s, after_3_s([&](auto&) { plug.come_back(); }));
  });
}

TEST(waits, of_umount_see_the_end_of_a_comparison) {
  with_stick([](told_plug& plug) {
    sim::pin(plug.v->disk);
    plug.hold_blocks(1);
    plug.pull();
    std::optional<checkpoint::verification> comparing(std::in_place, *plug.v);
    const auto force = [&] { return checkpoint::settle(plug.v->disk, true); };
    expect_wait("forced while it is compared", force, fail(error::eio), 3_s,
                after_3_s([&](auto&) { comparing.reset(); }));
    EXPECT_EQ(plug.v->state, volume_state::dead);
  });
}

TEST(waits, for_a_return_end_after_hold) {
  with_stick([](told_plug& plug) {
    checkpoint::volume& v = *plug.v;
    sim::pin(v.disk);
    const auto expiry = [&] { return checkpoint::expires_at(v); };
    plug.hold_blocks(1);
    EXPECT_EQ(expiry(), never) << "it is plugged in";
    sleep_for(3_s);
    plug.pull();
    EXPECT_EQ(expiry().ns, (103_s).ns);
    {
      const checkpoint::verification comparing(v);
      EXPECT_EQ(expiry(), never) << "its clock stands while it is compared";
    }
    EXPECT_EQ(expiry().ns, (103_s).ns);
    told_disk another(plug.stick, 1024);
    {
      const checkpoint::verification comparing(v);
      checkpoint::refused(v, another);
    }
    EXPECT_EQ(expiry().ns, (103_s).ns) << "a conflict is no return";
    EXPECT_FALSE(another.wait_unreferenced(now()));
    checkpoint::refused_left(v);
    EXPECT_TRUE(another.wait_unreferenced(now()));
    plug.come_back();
    sleep_for(10_s);
    plug.pull();
    EXPECT_EQ(expiry(), never) << "nothing waits for it";
  });
}

TEST(waits, are_for_disks_that_there_are) {
  with_stick([](told_plug& plug) {
    EXPECT_EQ(checkpoint::volume_name(*plug.v), "TOLD");
    plug.v->identity.product = {};
    EXPECT_EQ(checkpoint::volume_name(*plug.v), "USB stick");
    EXPECT_EQ(checkpoint::barrier(dev_id(8, 16)), fail(error::enxio));
    EXPECT_EQ(checkpoint::barrier(dev_id(8, 0x80)), fail(error::enxio));
  });
}

// A device that cannot be pulled has no shadows: its barrier is its flush.
TEST(waits, do_not_concern_the_ram_disk) {
  with_stick([](told_plug&) {
    told_stick memory;
    told_disk ram(memory, 64);
    ram.at_once = true;
    u32 flushes = 0;
    bool good = true;
    ram.ask = [&](block_command, u32, const byte*) {
      ++flushes;
      return told_disk::answer{good, false};
    };
    set_ramdisk(ram);
    const dev_id ram0(1, 0);
    EXPECT_TRUE(checkpoint::barrier(ram0));
    EXPECT_EQ(flushes, 1u);
    good = false;
    EXPECT_EQ(checkpoint::barrier(ram0), fail(error::eio));
    const auto op = operation::begin(ram0);
    ASSERT_TRUE(op);
    EXPECT_FALSE(op->shadowed());
    EXPECT_TRUE(checkpoint::settle(ram0, true));
    EXPECT_FALSE(checkpoint::absent(ram0) || checkpoint::dead(ram0));
    EXPECT_EQ(checkpoint::blocks_lost(ram0), 0u);
    sim::pin(ram0);
    sim::unpin(ram0);
  });
}

}  // namespace
