// Ports in trouble, on the simulated controller: over-current, links that do not train or fail,
// resets that fail, contacts that bounce, devices that come and go. In each case the stick comes
// back without being pulled.
#include <gtest/gtest.h>

#include "tests/drivers/usb/stick_bench.h"

namespace sim {
namespace {

constexpr std::array<u32, 2> one_of_each{1, 3};

// --- over-current ---

TEST(usb_port_trouble, over_current_ends) {
  for (const u32 port : one_of_each)
    for_each_seed(3, [&](u64 seed) {
      bench b(port);
      b.run(seed, [&] {
        b.plug();
        b.until_live(1_s);
        EXPECT_TRUE(fill_block(sda, 5, 0x21));
        b.hardware().over_current(port);
        b.until_gone();
        EXPECT_TRUE(
            said("usb 0-" + std::to_string(port) + ": over-current, the port is switched off\n"));
        sleep_for(5_s);
        EXPECT_FALSE(b.hardware().has_power(port));
        b.hardware().end_over_current(port);
        EXPECT_LT(b.until_live(5_s).ns, (1500_ms).ns);
        EXPECT_TRUE(said("usb 0-" + std::to_string(port) + ": the port has power again\n"));
        EXPECT_TRUE(sys_sync());
        EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x21)) << "what was held for it is on it";
        b.works(0x22);
      });
    });
}

// A short circuit: the port is switched off each time that it gets its power.
TEST(usb_port_trouble, over_current_without_end_is_not_tried_all_the_time) {
  bench b(1);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    u32 tries = 0;
    for (int i = 0; i < 1000; ++i, sleep_for(100_ms))
      if (b.hardware().has_power(1)) {
        ++tries;
        b.hardware().over_current(1);
        sleep_for(10_ms);
        b.hardware().end_over_current(1);
      }
    EXPECT_GE(tries, 6u);
    EXPECT_LE(tries, 8u);
    b.until_live(70_s);
  });
}

// Over-current strikes while the driver clears the changes of a reset, and is over at once.
TEST(usb_port_trouble, over_current_during_a_reset_ends) {
  for (const u32 port : {1u, 3u})
    for (i64 ms = 0; ms < 200; ms += 5) {
      bench b(port);
      b.run(static_cast<u64>(ms), [&] {
        b.plug();
        sleep_for(duration{ms * 1'000'000});
        b.hardware().over_current(port);
        b.hardware().end_over_current(port);
        b.until_live(5_s);
      });
      if (testing::Test::HasFailure()) return;
    }
}

// --- links ---

TEST(usb_port_trouble, links_that_do_not_train_are_warmed) {
  using training = hc::controller::training;
  for (const training how : {training::compliance, training::cold_attach})
    for_each_seed(5, [&](u64 seed) {
      bench b(1);
      b.run(seed, [&] {
        b.hardware().train_as(1, how);
        b.plug();
        EXPECT_LT(b.until_live(3_s).ns, (400_ms).ns);
        EXPECT_EQ(times_said(how == training::compliance
                                 ? "usb 0-1: the link is in compliance mode, a warm reset follows\n"
                                 : "usb 0-1: cold attach, a warm reset follows\n"),
                  1u);
        b.works(0x31);
      });
    });
}

TEST(usb_port_trouble, a_link_that_fails_comes_back) {
  for_each_seed(10, [](u64 seed) {
    bench b(1);
    b.run(seed, [&] {
      b.plug();
      b.until_live(1_s);
      EXPECT_TRUE(fill_block(sda, 5, 0x41));
      b.hardware().lose_link(1);
      b.until_gone();
      EXPECT_LT(b.until_live(3_s).ns, (1_s).ns);
      EXPECT_EQ(times_said("usb 0-1: the link is inactive, a warm reset follows\n"), 1u);
      EXPECT_TRUE(sys_sync());
      EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x41));
    });
  });
}

TEST(usb_port_trouble, a_port_that_babble_disables_comes_back) {
  bench b(3);
  b.run(1, [&] {
    b.plug();
    b.until_live(1_s);
    b.hardware().disable_port(3);
    b.until_gone();
    b.until_live(1_s);
    b.works(0x42);
  });
}

// Changes that mean nothing to the stick. They are cleared: otherwise no event would tell of a
// pull.
TEST(usb_port_trouble, other_changes_hide_no_pull) {
  for (const u32 changes :
       {hc::change_enabled, hc::change_over_current, hc::change_link, hc::change_config_error})
    for_each_seed(3, [&](u64 seed) {
      bench b(1);
      b.run(seed, [&] {
        b.plug();
        b.until_live(1_s);
        b.hardware().tell_changes(1, changes);
        sleep_for(60_ms);
        EXPECT_TRUE(b.is_live());
        b.stick.pull();
        sleep_for(3_ms);
        EXPECT_TRUE(!b.device() || b.device()->gone()) << "its event came";
        b.plug();
        b.until_live(1_s);
      });
    });
}

// --- resets ---

TEST(usb_port_trouble, resets_that_fail_are_tried_again) {
  for (const u32 port : one_of_each)
    for (u32 failing = 1; failing <= 2; ++failing) {
      bench b(port);
      b.run(failing, [&] {
        if (port == 1) b.hardware().train_as(1, hc::controller::training::compliance);
        b.hardware().fail_resets(port, failing);
        b.plug();
        b.until_live(5_s);
        EXPECT_EQ(b.hardware().resets_left_to_fail(port), 0u);
        if (port == 3) {
          EXPECT_EQ(times_said("usb 0-3: a reset has failed, another one follows\n"), 1u);
        }
        b.works(0x51);
      });
    }
}

// A device that is out of step is reset, and the port cannot be. No address is given to a device in
// a port that is not enabled.
TEST(usb_port_trouble, a_reset_of_the_port_that_fails_is_a_failure) {
  constexpr u8 write_10 = 0x2A;
  for (const u32 port : one_of_each)
    for (const u32 failing : {2u, 7u, 100u})
      for_each_seed(3, [&](u64 seed) {
        bench b(port);
        b.run(seed, [&] {
          b.plug();
          b.until_live(1_s);
          b.function().meddle = [&](u8 opcode, usb_stick::answer& answer) {
            if (opcode != write_10) return;
            answer.wrong_tag = true;
            b.function().meddle = nullptr;
          };
          b.hardware().fail_resets(port, failing);
          EXPECT_TRUE(fill_block(sda, 5, 0x52));
          static_cast<void>(sys_sync());
          sleep_for(10_s);
          b.hardware().fail_resets(port, 0);
          if (!b.is_live()) {  // it was given up: "the device does not recover"
            EXPECT_EQ(failing, 100u);
            EXPECT_TRUE(said("the device does not recover"));
            b.stick.pull();
            sleep_for(1_s);
            b.plug();
          }
          b.until_live(2_s);
          EXPECT_TRUE(sys_sync());
          EXPECT_TRUE(block_is(b.stick.durable(), 5, 0x52));
        });
      });
}

// All resets of the first device fail, and during the last one another device takes its place. Its
// link needs a reset, too.
TEST(usb_port_trouble, an_exchange_during_the_last_reset_is_no_failure) {
  for_each_seed(10, [](u64 seed) {
    bench b(1);
    medium broken(2048, "BROKEN");
    b.run(seed, [&] {
      broken.plug(b.machine.port(1));
      while (!b.device()) sleep_for(1_ms);
      b.hardware().lose_link(1);
      b.hardware().fail_resets(1, 9);
      while (b.hardware().resets_left_to_fail(1) > 1 || !b.hardware().any_port_resetting())
        sleep_for(1_ms);
      broken.pull();
      b.plug();
      const u32 portsc = hc::operational_base + hc::port_base;
      while (!(b.hardware().read32(portsc) & hc::port_connected)) sleep_for(100_us);
      b.hardware().lose_link(1);
      b.hardware().fail_resets(1, 0);
      b.until_live(5_s);
    });
  });
}

// --- contacts ---

// Pulled while it is being addressed: that is no failure to be told.
TEST(usb_port_trouble, a_pull_during_the_plug_is_not_told_as_a_failure) {
  for (const u32 port : one_of_each)
    for_each_seed(40, [&](u64 seed) {
      bench b(port, {.interrupt_line = seed % 2 == 0});
      b.run(seed, [&] {
        b.plug();
        sleep_for(duration{static_cast<i64>(random_below(200'000'000))});
        b.stick.pull();
        sleep_for(1_s);
        EXPECT_FALSE(said("no contact") || said("not usable"));
        b.plug();
        b.until_live(4_s);
      });
    });
}

// Contact is steady only after the driver has lost its patience: it must look again, although the
// port shows no further change.
TEST(usb_port_trouble, contacts_that_bounce_come_to_rest) {
  bool told_at_all = false;
  for (const u32 port : one_of_each)
    for (const duration bouncing : {50_ms, 500_ms, 1950_ms, 2500_ms, 5_s})
      for_each_seed(3, [&](u64 seed) {
        bench b(port);
        b.run(seed, [&] {
          b.hardware().bouncing = bouncing;
          b.plug();
          EXPECT_LT(b.until_live(bouncing + 3_s).ns, (bouncing + 300_ms).ns);
          EXPECT_EQ(b.stick.plugs(), 1u);
          // A look that meets the contacts open is none of a plug that bounces.
          const u32 told = times_said("usb 0-" + std::to_string(port) + ": the contacts bounce\n");
          EXPECT_LE(told, bouncing > 1_s ? 1u : 0u);
          told_at_all |= told > 0;
          b.works(0x61);
        });
      });
  EXPECT_TRUE(told_at_all);
}

// --- devices that come and go ---

// A loose contact: the device is not addressed again and again without end.
TEST(usb_port_trouble, a_device_that_comes_and_goes_gets_rests) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    medium loose(2048, "LOOSE");
    b.machine.stick_of(loose).interface_class = 3;  // no driver
    const u32 its_port = port == 1 ? 2 : 4;
    b.run(port, [&] {
      b.plug();
      b.until_live(1_s);
      for (int i = 0; i < 300; ++i) {
        loose.plug(b.machine.port(its_port));
        sleep_for(350_ms);
        if (i == 299) {
          EXPECT_NE(listed().find("not used: it comes and goes"), std::string::npos) << listed();
        }
        loose.pull();
        sleep_for(50_ms);
      }
      const std::string name = "usb 0-" + std::to_string(its_port) + ": ";
      EXPECT_GE(times_said(name + "new "), 8u);
      EXPECT_LE(times_said(name + "new "), 16u);
      EXPECT_EQ(times_said(name + "a device comes and goes; from now on the port has rests\n"), 1u);
      b.works(0x51);
      sleep_for(6_s);
      EXPECT_EQ(listed().find("comes and goes"), std::string::npos);
      b.machine.stick_of(loose).interface_class = 8;
      loose.plug(b.machine.port(its_port));
      sleep_for(300_ms);
      EXPECT_TRUE(b.machine.stick_of(loose).ready_for_use()) << "after some quiet, at once";
      loose.pull();
    });
  }
}

// A device without a driver that stays for longer than a short visit: how soon it was given up does
// not count.
TEST(usb_port_trouble, a_device_that_is_not_used_and_stays_gets_no_rest) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    b.function().interface_class = 3;
    b.run(port, [&] {
      for (int i = 0; i < 12; ++i) {
        b.plug();
        sleep_for(6_s);
        b.stick.pull();
        sleep_for(300_ms);
      }
      EXPECT_FALSE(said("a device comes and goes"));
    });
  }
}

// A person replugs as quickly as a hand can.
TEST(usb_port_trouble, quick_replugs_are_not_slowed) {
  for (const u32 port : {1u, 3u}) {
    bench b(port);
    b.run(port, [&] {
      for (u8 i = 1; i <= 20; ++i) {
        b.plug();
        EXPECT_LT(b.until_live(1_s).ns, (250_ms).ns) << int{i};
        b.works(i);
        b.stick.pull();
        sleep_for(i % 2 ? 300_ms : 1_s);
      }
    });
  }
}

// What is no visit of a device: contacts that bounce, a controller without a free slot, the death
// of the controller.
TEST(usb_port_trouble, what_was_no_visit_gets_no_rest) {
  bench b(3);
  medium waiting(2048, "WAITING");
  b.run(1, [&] {
    b.hardware().bouncing = 30_s;
    b.plug();
    b.until_live(40_s);
    b.hardware().bouncing = {};
    b.hardware().fail_command = {.left = 1, .code = hc::no_slots, .in_a_row = 20};
    waiting.plug(b.machine.port(4));
    for (int i = 0; i < 20; ++i) sleep_for(300_ms), b.machine.driver().slot_vacated();
    b.hardware().fail_command = {};
    waiting.pull();
    for (int i = 0; i < 20; ++i) {
      while (b.machine.driver().dead() || !b.device()) sleep_for(1_ms);
      sleep_for(120_ms);  // it is coming up
      b.machine.driver().die("end");
      if (i % 4 == 3) sleep_for(61_s);
    }
    EXPECT_FALSE(said("a device comes and goes"));
    b.until_live(65_s);
  });
}

}  // namespace
}  // namespace sim
