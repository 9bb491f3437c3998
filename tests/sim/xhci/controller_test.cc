// The simulated controller itself: it must refuse, and complain of, what a driver does wrong.
#include "tests/sim/xhci/controller.h"

#include <gtest/gtest.h>

#include "hal/dma.h"
#include "hal/mmio.h"
#include "hal/wait.h"
#include "tests/sim/scheduler.h"

namespace sim::hc {
namespace {

// A driver of a few lines: command ring and event ring, one page each.
class bench {
 public:
  bench() : controller_({.scratchpads = 0}, time_), window_(at, window_size, controller_) {
    time_.start();
    registers_ = *map_mmio(at, window_size);
    commands_ = *dma_buffer::allocate(4096, 4096);
    events_ = *dma_buffer::allocate(4096, 4096);
    table_ = *dma_buffer::allocate(64, 64);
    contexts_ = *dma_buffer::allocate(512, 64);
    table_.as<u64>()[0] = events_.address().value();
    table_.as<u64>()[1] = 256;
    op(usbcmd, cmd_reset);
    for (int i = 0; i < 8; ++i) registers_.read32(operational_base + usbcmd);
    op(config, 8);
    registers_.write64(operational_base + dcbaap_low, contexts_.address().value());
    registers_.write64(operational_base + crcr_low, commands_.address().value() | 1);
    registers_.write32(runtime_base + erstsz, 1);
    registers_.write64(runtime_base + erdp_low, events_.address().value());
    registers_.write64(runtime_base + erstba_low, table_.address().value());
    op(usbcmd, cmd_run);
  }

  void op(u32 offset, u32 value) { registers_.write32(operational_base + offset, value); }
  void doorbell(u32 slot, u32 target) { registers_.write32(doorbell_base + 4 * slot, target); }

  // Gives a command with this cycle bit and returns its completion code, 0 for none within a
  // second.
  u32 command(u32 type, u32 slot = 0, u64 parameter = 0, u32 cycle = 1, u32 endpoint = 0) {
    const trb t{parameter, 0, type << 10 | slot << 24 | endpoint << 16 | cycle};
    commands_.as<trb>()[given_++] = t;
    doorbell(0, 0);
    sleep_for(1_s);
    for (; events_.as<trb>()[seen_].cycle(); ++seen_)
      if (events_.as<trb>()[seen_].type() == event_command)
        return events_.as<trb>()[seen_++].status >> 24;
    return 0;
  }

  bool complained_of(const std::string& what) const {
    for (const std::string& each : controller_.violations())
      if (each.find(what) != std::string::npos) return true;
    return false;
  }
  controller& model() { return controller_; }
  dma_buffer& commands() { return commands_; }

 private:
  static constexpr phys_addr at{0xFEB0'0000};
  timeline time_;
  controller controller_;
  mmio_region window_;
  mmio_window registers_;
  dma_buffer commands_, events_, table_, contexts_;
  u32 given_ = 0, seen_ = 0;
};

void on_bench(const std::function<void(bench&)>& body) {
  world world({.seed = 1});
  world.run([&] {
    bench b;
    body(b);
  });
}

TEST(simulated_xhci, answers_commands) {
  on_bench([](bench& b) {
    EXPECT_EQ(b.command(cmd_no_op), success);
    EXPECT_EQ(b.command(cmd_enable_slot), success);
    EXPECT_EQ(b.model().slots_in_use(), 1u);
    EXPECT_TRUE(b.model().violations().empty());
  });
}

TEST(simulated_xhci, leaves_a_trb_with_the_wrong_cycle_bit_alone) {
  on_bench([](bench& b) { EXPECT_EQ(b.command(cmd_no_op, 0, 0, 0), 0u); });
}

TEST(simulated_xhci, refuses_commands_for_slots_that_are_disabled) {
  on_bench([](bench& b) {
    EXPECT_EQ(b.command(cmd_disable_slot, 3), slot_not_enabled);
    EXPECT_EQ(b.command(cmd_stop_endpoint, 3, 0, 1, 2), slot_not_enabled);
  });
}

TEST(simulated_xhci, refuses_an_input_context_without_its_flags) {
  on_bench([](bench& b) {
    ASSERT_EQ(b.command(cmd_enable_slot), success);
    const auto input = dma_buffer::allocate(4096, 4096);
    u32 slot = 1;
    while (slot <= 8 && b.command(cmd_address_device, slot, input->address().value()) != trb_error)
      ++slot;
    EXPECT_LE(slot, 8u);
  });
}

TEST(simulated_xhci, has_no_more_slots_than_it_has) {
  on_bench([](bench& b) {
    for (int i = 0; i < 8; ++i) EXPECT_EQ(b.command(cmd_enable_slot), success);
    EXPECT_EQ(b.command(cmd_enable_slot), no_slots);
  });
}

TEST(simulated_xhci, complains_of_doorbells_that_belong_to_nobody) {
  on_bench([](bench& b) {
    b.doorbell(5, 1);
    EXPECT_TRUE(b.complained_of("doorbell of a slot that is disabled"));
  });
}

TEST(simulated_xhci, complains_of_memory_that_the_driver_has_given_away) {
  on_bench([](bench& b) {
    ASSERT_EQ(b.command(cmd_no_op), success);
    b.commands() = dma_buffer();  // freed, and perhaps another's by the next command
    const auto another = dma_buffer::allocate(4096, 4096);
    b.doorbell(0, 0);
    sleep_for(1_s);
    EXPECT_TRUE(b.complained_of("given away"));
  });
}

TEST(simulated_xhci, complains_of_addresses_that_are_nobodys) {
  on_bench([](bench& b) {
    b.op(usbcmd, 0);
    b.op(crcr_low, 0x1000 | 1);
    b.op(crcr_high, 0);
    EXPECT_TRUE(b.complained_of("not the driver's memory"));
  });
}

TEST(simulated_xhci, aborts_a_command_that_hangs) {
  on_bench([](bench& b) {
    b.model().hang_command = u32{cmd_no_op};
    EXPECT_EQ(b.command(cmd_no_op), 0u);
    b.op(crcr_low, crcr_abort);
    b.op(crcr_high, 0);
    EXPECT_EQ(b.model().violations().size(), 0u);
  });
}

}  // namespace
}  // namespace sim::hc
