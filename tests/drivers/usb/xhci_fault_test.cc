// Every command and every transfer fails once, and then all is well; and no wait lasts longer than
// what it waits for. Over the simulated controller, which must have no complaints.
#include <gtest/gtest.h>

#include "drivers/block/genhd.h"
#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

using checkpoint::volume_state;

constexpr u32 no_answer = 0;

// For n = 1, 2, … until nothing is left to fail; from `all` on only each seventh. Returns the last
// n that has failed.
u32 each_fails(hc::controller::planned_fault hc::controller::*kind, u32 code, const place& where,
               const std::function<void(bench&, const std::function<void()>& arm)>& body,
               u32 all = 200) {
  u32 last = 0;
  for (u32 n = 1; n < 200; n += n < all ? 1 : 7) {
    SCOPED_TRACE(std::string(where.name) + " speed, code " + std::to_string(code) +
                 ", n = " + std::to_string(n));
    bench b(where);
    bool struck = false;
    b.run(n, [&] {
      body(b, [&] { b.hardware().*kind = {n, code}; });
      struck = (b.hardware().*kind).left == 0;
      b.hardware().*kind = {};
    });
    if (!struck) return last;
    last = n;
    if (testing::Test::HasFailure()) return n;
  }
  return 200;
}

constexpr auto command = &hc::controller::fail_command;
constexpr auto transfer = &hc::controller::fail_transfer;

// A stick is not pulled because one step of its plug has failed.
void plugs_in_spite_of(bench& b, const std::function<void()>& arm) {
  arm();
  b.plug();
  b.until_live(40_s);
  b.works(0x5A);
}

TEST(usb_faults, each_command_of_a_plug_fails) {
  for (const place& where : {super_speed, high_speed, full_speed})
    for (const u32 code : {u32{hc::trb_error}, u32{hc::transaction_error}, no_answer})
      EXPECT_GE(each_fails(command, code, where, plugs_in_spite_of), 3u);
}

TEST(usb_faults, each_transfer_of_a_plug_fails) {
  for (const place& where : {super_speed, full_speed})
    for (const u32 code : {u32{hc::transaction_error}, no_answer})
      EXPECT_GE(each_fails(transfer, code, where, plugs_in_spite_of, 14), 20u);
}

// --- recoveries ---

// Plugs the stick in. Returns a task that writes 0x22 into block 5, at which the stick hangs.
fiber begin_write_that_hangs(bench& b) {
  b.plug();
  b.until_live(1_s);
  b.works(0x11);
  b.hang_at_the_next_write();
  EXPECT_TRUE(fill_block(sda, 5, 0x22));
  return spawn("writer", [] { static_cast<void>(sys_sync()); });
}

void expect_block_to_be_written(bench& b) {
  EXPECT_TRUE(sys_sync());
  EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x22));
}

// A write hangs, and one step of the recovery fails, too.
void recovers_in_spite_of(bench& b, const std::function<void()>& arm) {
  const fiber writer = begin_write_that_hangs(b);
  sleep_for(1_s);
  arm();
  writer.join();
  sleep_for(60_s);
  b.until_live(40_s);
  expect_block_to_be_written(b);
  b.works(0x33);
}

// Its endpoints were those of another speed.
TEST(usb_faults, a_reset_leads_to_another_speed) {
  bench b(high_speed);
  b.run(1, [&] {
    const fiber writer = begin_write_that_hangs(b);
    b.function().full_speed = true;
    writer.join();
    b.until_live(60_s);
    EXPECT_TRUE(said("new full-speed device"));
    expect_block_to_be_written(b);
    b.works(0x33);
  });
}

// A pull is no fault of the device.
TEST(usb_faults, a_pull_ends_a_recovery) {
  for (const auto& where : {super_speed, high_speed}) {
    bench b(where);
    b.run(1, [&] {
      const fiber writer = begin_write_that_hangs(b);
      while (!b.hardware().any_port_resetting()) sleep_for(1_ms);
      b.stick.pull();
      writer.join();
      sleep_for(1_s);
      EXPECT_FALSE(said("does not recover"));
      b.plug();
      b.until_live(10_s);
      expect_block_to_be_written(b);
    });
  }
}

// Resets of the port fail, and the driver rests before the next one.
TEST(usb_faults, a_pull_ends_the_rest_before_a_reset) {
  bench b(high_speed);
  b.run(1, [&] {
    const fiber writer = begin_write_that_hangs(b);
    b.hardware().fail_resets(high_speed.port, 5);
    while (b.hardware().resets_left_to_fail(high_speed.port) > 2) sleep_for(1_ms);
    sleep_for(20_ms);  // the rest lasts 200 ms
    b.stick.pull();
    const instant pulled = now();
    writer.join();
    EXPECT_LE((now() - pulled).milliseconds(), 10);
    b.hardware().fail_resets(high_speed.port, 0);
    sleep_for(1_s);
    b.plug();
    b.until_live(10_s);
    expect_block_to_be_written(b);
  });
}

TEST(usb_faults, each_command_of_a_recovery_fails) {
  for (const u32 code : {u32{hc::trb_error}, u32{hc::context_state_error}, no_answer})
    for (const auto& where : {super_speed, high_speed})
      EXPECT_GE(each_fails(command, code, where, recovers_in_spite_of), 5u);
}

TEST(usb_faults, each_transfer_of_a_recovery_fails) {
  EXPECT_GE(each_fails(transfer, hc::transaction_error, high_speed, recovers_in_spite_of), 5u);
}

// The stick is pulled in the middle of a write, and one command of its end fails.
TEST(usb_faults, each_command_after_a_pull_fails) {
  for (const u32 code : {u32{hc::trb_error}, no_answer})
    EXPECT_GE(each_fails(command, code, super_speed,
                         [](bench& b, const std::function<void()>& arm) {
                           b.plug();
                           b.until_live(1_s);
                           b.hang_at_the_next_write();
                           EXPECT_TRUE(fill_block(sda, 5, 0x44));
                           spawn("writer", [] { static_cast<void>(sys_sync()); });
                           sleep_for(1_s);
                           arm();
                           b.stick.pull({.loss = cache_loss::some});
                           sleep_for(30_s);
                           EXPECT_EQ(b.hardware().slots_in_use(), 0u);
                           b.plug();
                           b.until_live(40_s);
                           EXPECT_TRUE(sys_sync());
                           EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x44));
                         }),
              2u);
}

// --- noise on the cable ---

// One of so many packets is lost. Two in a row are made up for by the controller; after three the
// endpoint halts, and the driver brings the device into step again.
TEST(usb_noise, costs_time_and_no_data) {
  u32 halts = 0, lost = 0;
  for (const place& where : {super_speed, high_speed, full_speed})
    for (const u32 noise : {200u, 50u, 12u})
      for_each_seed(8, [&](u64 seed) {
        bench b(where);
        b.run(seed, [&] {
          b.function().disk().removable_medium = seed % 2 == 0;  // most sticks say so
          b.hardware().noise = noise;
          b.plug();
          for (int tries = 0; tries < 20 && !b.is_live(); ++tries) {
            sleep_for(10_s);
            if (b.is_live() || !b.stick.plugged()) continue;
            b.stick.pull();  // no answer came so often that the driver has given it up
            sleep_for(1_s);
            b.plug();
          }
          ASSERT_TRUE(b.is_live());
          for (u8 i = 1; i < 30; ++i) {
            EXPECT_TRUE(fill_block(sda, i, i));
            static_cast<void>(sys_sync());
          }
          lost += b.hardware().packets_lost;
          halts += said("out of step");
          b.hardware().noise = 0;
          sleep_for(60_s);
          if (!b.is_live()) {
            if (b.stick.plugged()) b.stick.pull();
            sleep_for(1_s);
            b.plug();
          }
          b.until_live(10_s);
          EXPECT_TRUE(sys_sync());
          for (u8 i = 1; i < 30; ++i) EXPECT_TRUE(block_is(b.stick.durable(), i, i)) << int{i};
        });
      });
  EXPECT_GT(halts, 5u);
  EXPECT_GT(lost, 1000u);
}

// --- nothing is waited for longer than it takes ---

// From the contact: 15 ms until it shows, 100 ms until it is steady, a reset, some answers.
constexpr duration plug_time = 170_ms, plug_time_usb2 = 250_ms;

TEST(usb_quickness, of_a_plug) {
  for (const place& where : {super_speed, high_speed, full_speed})
    for_each_seed(3, [&](u64 seed) {
      bench b(where);
      b.run(seed, [&] {
        for (int i = 0; i < 3; ++i) {
          b.plug();
          EXPECT_LT(b.until_live(1_s).ns, (where.port == 1 ? plug_time : plug_time_usb2).ns);
          b.stick.pull();
          sleep_for(10_ms);
          EXPECT_FALSE(b.is_live()) << "a pull is noticed at once";
        }
      });
    });
}

TEST(usb_quickness, of_commands) {
  for (const place& where : {super_speed, high_speed}) bench(where).run(1, [] {});
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    const instant begun = now();
    for (u8 i = 0; i < 50; ++i) b.works(i);
    EXPECT_LT((now() - begun).ns, (150_ms).ns);
  });
}

TEST(usb_quickness, of_the_event_after_a_reset) {
  for (const place& where : {super_speed, high_speed})
    for_each_seed(3, [&](u64 seed) {
      bench b(where);
      b.run(seed, [&] {
        b.plug();
        b.until_live(1_s);
        b.hang_at_the_next_write();
        EXPECT_TRUE(fill_block(sda, 5, 0x22));
        EXPECT_TRUE(sys_sync());
        EXPECT_TRUE(said("out of step"));
        b.stick.pull();
        sleep_for(10_ms);
        EXPECT_FALSE(b.is_live());
      });
    });
}

TEST(usb_quickness, of_an_exchange) {
  for_each_seed(5, [](u64 seed) {
    bench b(super_speed);
    b.run(seed, [&] {
      for (int i = 0; i < 3; ++i) {
        b.plug();
        const duration first = b.until_live(1_s);
        b.stick.pull();
        b.plug();
        sleep_for(5_ms);  // the rest of the first stick ends
        EXPECT_LE(b.until_live(1_s).ns, (first + 10_ms).ns);
        b.stick.pull();
        sleep_for(10_ms);
      }
    });
  });
}

// The interrupt handler itself tells the device, so that its task does not take the pull for a
// failure of the transport.
TEST(usb_quickness, of_the_news_of_a_pull) {
  for (u32 port = 1; port <= hc::controller::ports; ++port) {
    bench b({"any", port, false}, {.like_qemu = true});
    b.run(port, [&] {
      b.plug();
      b.until_live(1_s);
      const xhci::device& device = *b.machine.driver().port(port).occupant;
      EXPECT_FALSE(device.gone());
      b.stick.pull();
      EXPECT_TRUE(device.gone()) << port;
    });
  }
}

// A command ends with its controller, and so does one that waits for its turn.
TEST(usb_quickness, of_commands_whose_controller_dies) {
  bench b(super_speed);
  b.run(1, [&] {
    b.hardware().hang_command = u32{hc::cmd_no_op};
    std::array<instant, 2> ended{};
    for (instant& each : ended)
      spawn("user", [&] {
        const xhci::trb no_op{.control = xhci::type_bits(xhci::trb_type::no_op_command)};
        EXPECT_EQ(b.machine.driver().command(no_op).error(), error::enodev);
        each = now();
      });
    sleep_for(1003_ms);
    const instant begun = now();
    b.machine.driver().die("end");
    sleep_for(1_s);
    for (const instant& each : ended) EXPECT_LT((each - begun).ns, (1_ms).ns);
    for (const instant& each : ended) EXPECT_GE(each.ns, begun.ns);
  });
}

// Four plugs at once give their commands one after the other.
TEST(usb_quickness, of_plugs_side_by_side) {
  for_each_seed(3, [](u64 seed) {
    bench b(super_speed);
    std::array<medium, 3> others{medium(2048, "A"), medium(2048, "B"), medium(2048, "C")};
    b.run(seed, [&] {
      b.plug();
      for (u32 i = 0; i < others.size(); ++i) {
        others[i].least_latency = others[i].most_latency = 10_us;
        others[i].plug(b.machine.port(i + 2));
      }
      sleep_for(plug_time_usb2);
      for (u8 i = 0; i < 4; ++i)
        EXPECT_EQ(state_of(dev_id(8, static_cast<u8>(16 * i))), volume_state::live) << i;
      for (medium& each : others) each.pull();
    });
  });
}

// The device that waits for a slot gets it as soon as there is one.
TEST(usb_quickness, of_a_slot_that_is_free_again) {
  for_each_seed(5, [](u64 seed) {
    bench b(super_speed, {.slots = 1});
    medium other(2048, "OTHER");
    b.run(seed, [&] {
      other.plug(b.machine.port(2));
      await_state(sda, volume_state::live);
      b.plug();
      sleep_for(1_s);
      const usb_stick& waits = b.machine.stick_of(b.stick);
      EXPECT_FALSE(waits.ready_for_use());
      other.pull();
      const instant begun = now();
      while (!waits.ready_for_use() && now() - begun < 1_s) sleep_for(1_ms);
      EXPECT_LT((now() - begun).ns, plug_time.ns);
    });
  });
}

// Two wait, and the one in the lower port is pulled before a slot is free.
TEST(usb_quickness, of_a_slot_for_the_one_that_is_still_there) {
  for_each_seed(5, [](u64 seed) {
    bench b(super_speed, {.slots = 1});
    medium holder(2048, "HOLDER"), leaves(2048, "LEAVES");
    b.run(seed, [&] {
      holder.plug(b.machine.port(3));
      await_state(sda, volume_state::live);
      leaves.plug(b.machine.port(1));
      b.stick.plug(b.machine.port(2));
      sleep_for(1_s);
      leaves.pull();
      sleep_for(1_s);
      const usb_stick& waits = b.machine.stick_of(b.stick);
      EXPECT_FALSE(waits.ready_for_use());
      holder.pull();
      const instant begun = now();
      while (!waits.ready_for_use() && now() - begun < 1_s) sleep_for(1_ms);
      EXPECT_LT((now() - begun).ns, plug_time.ns);
    });
  });
}

// The events of some Enable Slots are lost, and with them the numbers of the slots: as many as
// there are. The slots are found when no other one is free; those of other devices stay as they
// are.
TEST(usb_slots, that_were_lost_are_found_when_none_is_free) {
  for (const u32 slots : {2u, 3u}) {
    bench b(super_speed, {.slots = slots});
    medium other(2048, "OTHER");
    b.run(slots, [&] {
      other.plug(b.machine.port(3));
      await_state(sda, volume_state::live);
      for (u32 i = 1; i < slots; ++i) {
        b.hardware().lose_event_of = u32{hc::cmd_enable_slot};
        b.plug();
        sleep_for(8_s);
        b.stick.pull();
        sleep_for(6_s);
      }
      for (u32 i = 0; i < 3; ++i) {
        b.plug();
        sleep_for(1_s);
        EXPECT_TRUE(b.function().ready_for_use()) << i;
        EXPECT_EQ(b.hardware().slots_in_use(), 2u);
        b.stick.pull();
        sleep_for(1_s);
      }
      EXPECT_EQ(other.plugs(), 1u);
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_FALSE(said("every device on it is gone"));
      other.pull();
    });
  }
}

// Plugs a stick for which there is no slot; returns while those that were lost are looked for.
void plug_until_slots_are_looked_for(bench& b) {
  b.machine.driver().note_lost_slot();
  b.hardware().fail_command = {.left = 1, .code = hc::no_slots};
  b.plug();
  while (b.hardware().commands_begun < 3) sleep_for(1_us);
}

// A slot becomes free while those that were lost are looked for, and none of them was lost.
TEST(usb_slots, that_become_free_during_the_search_are_taken) {
  bench b(super_speed);
  b.run(1, [&] {
    plug_until_slots_are_looked_for(b);
    b.machine.driver().slot_vacated();
    EXPECT_LT(b.until_live(1_s).ns, plug_time.ns);
    EXPECT_FALSE(said("the controller has no slot for it"));
  });
}

// A slot is lost while others are looked for.
TEST(usb_slots, that_are_lost_during_the_search_are_found_by_the_next_one) {
  bench b(super_speed);
  b.run(1, [&] {
    plug_until_slots_are_looked_for(b);
    b.machine.driver().note_lost_slot();
    b.until_live(1_s);
    const u32 before = b.hardware().commands_begun;
    EXPECT_TRUE(b.machine.driver().find_lost_slots());
    EXPECT_EQ(b.hardware().commands_begun - before, 7u) << "one for each slot without a device";
  });
}

// --- the rest of its world ---

TEST(usb_ports, all_are_of_use) {
  for (const bool off : {false, true})
    for (u32 port = 1; port <= hc::controller::ports; ++port) {
      bench b({"any", port, false}, {.usb2_slot_type = 3, .ports_off = off, .reset_time = 40_ms});
      b.run(port, [&] {
        b.plug();
        b.until_live(1_s);
        b.works(0x66);
      });
    }
}

TEST(usb_ports, serve_devices_that_were_there_before) {
  for (const place& where : {super_speed, high_speed, full_speed})
    for (const bool off : {false, true}) {
      medium stick(2048);
      usb_machine machine({.ports_off = off});
      machine.stick_of(stick).full_speed = where.full_speed;
      world world({.seed = 1});
      world.run([&] {
        boot();
        const instant begun = now();
        stick.plug(machine.port(where.port));
        machine.power_on();
        await_state(sda, volume_state::live);
        EXPECT_LT((now() - begun).ns, (400_ms).ns) << "it does not move: no debouncing";
        stick.pull();
        sleep_for(1_s);
      });
      for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
    }
}

TEST(usb_ports, tell_the_speed_of_their_devices) {
  for (const u32 packet : {8u, 16u, 32u, 64u}) {
    bench b(full_speed);
    b.machine.stick_of(b.stick).full_speed_packet = packet;
    b.run(packet, [&] {
      b.plug();
      b.until_live(1_s);
      EXPECT_TRUE(said("usb 0-4: new full-speed device"));
      EXPECT_TRUE(said("usb 0-4: 46f4:0001 \"STICK\" serial \"SIM1\""));
      b.works(0x77);
    });
  }
  for (const place& where : {super_speed, high_speed}) {
    bench b(where);
    b.run(1, [&] {
      b.plug();
      b.until_live(1_s);
      EXPECT_TRUE(said(where.port == 1 ? "new SuperSpeed device" : "new high-speed device"));
    });
  }
}

// lsusb shows every device, until it is pulled.
TEST(usb_ports, list_devices_that_are_not_used) {
  const auto ends_with = [](const std::string& text, const char* end) {
    return text.ends_with(std::string(end) + "\n") && std::ranges::count(text, '\n') == 1;
  };
  bench b(super_speed, {.slots = 1});
  medium other(2048, "OTHER");
  usb_stick& function = b.machine.stick_of(b.stick);
  b.run(1, [&] {
    function.interface_class = 3;
    b.plug();
    sleep_for(1_s);
    EXPECT_TRUE(
        ends_with(listed(), "\"STICK\" serial \"SIM1\" not used: no driver for this device"));
    sleep_for(10_s);
    EXPECT_TRUE(ends_with(listed(), "no driver for this device")) << "still there";
    b.stick.pull();
    sleep_for(60_ms);
    EXPECT_EQ(listed(), "");
    b.hardware().fail_resets(4, 100);
    other.plug(b.machine.port(4));
    sleep_for(20_s);
    EXPECT_TRUE(ends_with(listed(), "not used: it does not answer")) << listed();
    b.hardware().fail_resets(4, 0);
    other.pull();
    sleep_for(1_s);
    other.plug(b.machine.port(4));
    sleep_for(1_s);
    EXPECT_TRUE(ends_with(listed(), "driver usb-storage"));
    function.interface_class = 8;
    b.plug();
    sleep_for(1_s);
    EXPECT_NE(listed().find("not used: the controller has no slot for it; it waits\n"),
              std::string::npos);
    other.pull();
    sleep_for(1_s);
    EXPECT_TRUE(ends_with(listed(), "driver usb-storage")) << listed();
  });
}

// Events that concern nothing the driver has are passed over.
TEST(usb_events, of_nothing_are_ignored) {
  bench b(super_speed);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    for (const u32 slot : {0u, 8u, 64u, 65u, 255u})
      for (const u32 endpoint : {0u, 1u, 31u})
        b.hardware().post_event(
            {0x1000, hc::success << 24, hc::event_transfer << 10 | endpoint << 16 | slot << 24});
    for (const u64 port : {0u, 1u, 3u, 4u, 5u, 64u, 65u, 255u})
      b.hardware().post_event({port << 24, hc::success << 24, hc::event_port << 10});
    b.hardware().post_event({0x1000, hc::success << 24, hc::event_command << 10});
    b.hardware().post_event({0, 0, 63u << 10});
    b.hardware().post_event({0, hc::ring_full << 24, hc::event_host << 10});
    sleep_for(1_s);
    EXPECT_TRUE(b.is_live());
    b.works(0x12);
    EXPECT_EQ(b.stick.plugs(), 1u);
  });
}

// The driver does not handle events for some time: more come than the ring has room for.
TEST(usb_events, that_were_lost_are_made_up_for) {
  for_each_seed(3, [](u64 seed) {
    bench b(super_speed);
    b.run(seed, [&] {
      b.plug();
      b.until_live(1_s);
      for (int i = 0; i < 600; ++i) b.hardware().post_event({0, 0, 63u << 10});
      b.works(0x13);
      b.stick.pull();
      sleep_for(60_ms);
      EXPECT_FALSE(b.is_live());
    });
  });
}

}  // namespace
}  // namespace sim
