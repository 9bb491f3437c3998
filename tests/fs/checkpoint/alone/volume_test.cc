// The states of a volume: the arrows of the diagram in fs/checkpoint/volume.h, and no others.
#include "fs/checkpoint/volume.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "hal/clock.h"
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

// What the arrows of the diagram are tried with.
struct walker {
  shelf_device device, other;
  volume& v = arrive(device);
  std::optional<checkpoint::verification> comparing, comparing_again;

  void pull() { checkpoint::pulled(v); }
  void compare() { comparing.emplace(v); }
  void bring_to(volume_state state) {
    using enum volume_state;
    if (state == live) return;
    if (state == degraded) return checkpoint::degrade(v);
    pull();
    if (state == dead) return checkpoint::expired(v);
    if (state == absent) return;
    compare();
    if (state == conflict) checkpoint::refused(v, other);
    if (state == replay) checkpoint::begin_replay(v, device);
  }
  // By the function that has the arrow's name in the diagram.
  void go_to(volume_state state) {
    using enum volume_state;
    switch (state) {
      case absent: return checkpoint::replay_failed(v);
      case verify: comparing_again.emplace(v); return;
      case conflict: return checkpoint::refused(v, other);
      case replay: return checkpoint::begin_replay(v, device);
      case live: return checkpoint::replayed(v, device);
      case degraded: return checkpoint::degrade(v);
      case dead: return checkpoint::expired(v);
      case none: return;
    }
  }
};

// What a kernel that has panicked leaves: nothing of it is destroyed.
std::array<walker*, 49> stopped_midway{};
u32 walks = 0;

bool is_allowed(volume_state from, volume_state to) {
  world w({.expect_panic = true});
  w.run([&] {
    walker& walk = *(stopped_midway.at(walks++) = new walker);
    ++walk.v.uses;
    walk.bring_to(from);
    EXPECT_EQ(walk.v.state, from);
    walk.go_to(to);
    EXPECT_EQ(walk.v.state, to);
  });
  EXPECT_EQ(w.panicked(), w.panic_message().find("is_arrow") != std::string::npos);
  return !w.panicked();
}

TEST(volume_states, go_along_the_arrows) {
  run(1, [] {
    shelf_device device, other;
    volume& v = arrive(device);
    ++v.uses;  // so that the name is kept
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
    --v.uses;
    checkpoint::release_if_unused(v);
    EXPECT_EQ(v.state, volume_state::none);
  });
}

TEST(volume_states, and_no_others) {
  walks = 0;
  using enum volume_state;
  using arrow = std::pair<volume_state, volume_state>;
  const std::set<arrow> arrows{
      {live, absent},     {absent, verify},   {absent, dead},     {verify, absent},
      {verify, conflict}, {verify, replay},   {replay, absent},   {replay, live},
      {conflict, verify}, {conflict, absent}, {conflict, replay}, {conflict, dead},
      {live, degraded},   {degraded, live},   {degraded, absent}, {replay, degraded}};
  for (volume_state from : {live, degraded, absent, verify, replay, conflict, dead})
    for (volume_state to : {live, degraded, absent, verify, replay, conflict, dead})
      EXPECT_EQ(is_allowed(from, to), arrows.contains({from, to}))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
}

// A volume without anything held, mounted or begun is released from absent, conflict and dead.
TEST(volume_states, are_left_when_nothing_needs_the_name) {
  for (volume_state from : {volume_state::absent, volume_state::conflict, volume_state::dead})
    run(1, [&] {
      walker walk;
      ++walk.v.uses;
      walk.bring_to(from);
      checkpoint::release_if_unused(walk.v);
      EXPECT_EQ(walk.v.state, from) << "it is mounted";
      ++walk.v.operations;
      --walk.v.uses;
      checkpoint::release_if_unused(walk.v);
      EXPECT_EQ(walk.v.state, from) << "an operation runs";
      --walk.v.operations;
      checkpoint::release_if_unused(walk.v);
      EXPECT_EQ(walk.v.state, volume_state::none);
      EXPECT_FALSE(walk.v.refused);
      EXPECT_TRUE(walk.other.wait_unreferenced(now())) << "a reference is kept";
    });
  run(1, [] {
    walker walk;
    checkpoint::release_if_unused(walk.v);
    EXPECT_EQ(walk.v.state, volume_state::live);
    walk.pull();
    EXPECT_EQ(walk.v.state, volume_state::none) << "nothing waits for it";
  });
}

}  // namespace
