// The states of a volume: the arrows of the diagram in fs/checkpoint/volume.h, and no others.
#include "fs/checkpoint/volume.h"

#include <gtest/gtest.h>

#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

using namespace sim;
using checkpoint::volume;
using checkpoint::volume_state;

// A device that is only looked at.
struct shelf_device final : block_device {
  shelf_device() { identity.sectors = 8; }
  void request_fn() override {}
};

volume& arrive(shelf_device& device) {
  partition_table table{};
  table[0] = {lba{}, device.identity.sectors, 0};
  return *checkpoint::arrived(device, table);
}

// Whether `walk` is stopped by the check of its arrows.
bool is_stopped(void (*walk)(volume& v, block_device& device)) {
  world w({.expect_panic = true});
  w.run([&] {
    shelf_device device;
    walk(arrive(device), device);
  });
  return w.panicked() && w.panic_message().find("is_arrow") != std::string::npos;
}

TEST(volume_states, go_along_the_arrows) {
  run(1, [] {
    shelf_device device, other;
    volume& v = arrive(device);
    ++v.mounts;  // so that the name is kept
    EXPECT_EQ(v.state, volume_state::live);
    checkpoint::pulled(v);
    EXPECT_EQ(v.state, volume_state::absent);
    {
      const checkpoint::verification comparing(v);
      EXPECT_EQ(v.state, volume_state::verify);
    }
    EXPECT_EQ(v.state, volume_state::absent) << "another stick";
    {
      const checkpoint::verification comparing(v);
      checkpoint::refused(v, other);
      EXPECT_EQ(v.state, volume_state::conflict);
    }
    EXPECT_EQ(v.state, volume_state::conflict);
    { const checkpoint::verification comparing(v); }
    EXPECT_EQ(v.state, volume_state::conflict) << "the refused stick is there still";
    checkpoint::refused_left(v);
    EXPECT_EQ(v.state, volume_state::absent);
    {
      const checkpoint::verification comparing(v);
      checkpoint::begin_replay(v, device);
      checkpoint::replay_failed(v);
    }
    EXPECT_EQ(v.state, volume_state::absent);
    {
      const checkpoint::verification comparing(v);
      checkpoint::begin_replay(v, device);
      checkpoint::replayed(v, device);
    }
    EXPECT_EQ(v.state, volume_state::live);
    checkpoint::pulled(v);
    checkpoint::expired(v);
    EXPECT_EQ(v.state, volume_state::dead);
    --v.mounts;
    checkpoint::release_if_unused(v);
    EXPECT_EQ(v.state, volume_state::none);
  });
}

TEST(volume_states, and_no_others) {
  EXPECT_TRUE(is_stopped([](volume& v, block_device&) { checkpoint::expired(v); }));
  EXPECT_TRUE(is_stopped([](volume& v, block_device& d) { checkpoint::begin_replay(v, d); }));
  EXPECT_TRUE(
      is_stopped([](volume& v, block_device&) { const checkpoint::verification comparing(v); }));
  EXPECT_TRUE(is_stopped([](volume& v, block_device& d) { checkpoint::refused(v, d); }));
  EXPECT_TRUE(is_stopped([](volume& v, block_device& d) { checkpoint::replayed(v, d); }));
}

}  // namespace
