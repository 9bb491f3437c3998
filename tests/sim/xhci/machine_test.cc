// The product's USB stack on the simulated controller.
#include <gtest/gtest.h>

#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "fs/sync.h"
#include "hal/irq.h"
#include "hal/memory.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

struct configuration {
  const char* name;
  hc::controller_settings settings;
  u32 port;
};
void PrintTo(const configuration& c, std::ostream* out) { *out << c.name; }

// At SuperSpeed: one when contact is made, one when the link has trained.
constexpr u32 resets_of_an_enumeration = 2;

class usb_stack : public ::testing::TestWithParam<configuration> {};

std::string violations(usb_machine& machine) {
  std::string text;
  for (const std::string& each : machine.controller().violations()) text += each + "\n";
  return text;
}

// Writes, pulls and reads through simulated registers, rings and packets, with several schedules.
TEST_P(usb_stack, carries_files_through_a_pull) {
  for_each_seed(5, [](u64 seed) {
    medium stick(mkfs_minix(400));
    usb_machine machine(GetParam().settings);
    // Without interrupts a task finds its event when it looks.
    const bool quiet = !GetParam().settings.interrupt_line;
    world world({.seed = seed, .time_limit = 3000_s, .plain_sleeps = quiet});
    world.run([&] {
      session process(boot_with_root());
      machine.power_on();
      stick.plug(machine.port(GetParam().port));
      await_state(sda, volume_state::live);
      ASSERT_TRUE(process.mount());
      const std::string text = pattern(150'000, 3);
      ASSERT_TRUE(process.write("/mnt/file", text));
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.append("/mnt/file", "and more"));
      ASSERT_TRUE(process.write("/mnt/other", "held"));
      stick.pull({.loss = cache_loss::some});
      await_state(sda, volume_state::absent);
      stick.plug(machine.port(GetParam().port == 1 ? 2 : 1));
      await_state(sda, volume_state::live);
      EXPECT_EQ(process.read("/mnt/file").value_or(""), text + "and more");
      ASSERT_TRUE(process.umount());
      stick.pull({.loss = cache_loss::all});
      sleep_for(3_s);
      EXPECT_EQ(machine.controller().slots_in_use(), 0u);
    });
    EXPECT_EQ(violations(machine), "");
    EXPECT_EQ(fsck_minix(stick.durable()), "");
    EXPECT_TRUE(minix_image(stick.durable()).has("/other"));
  });
}

INSTANTIATE_TEST_SUITE_P(
    on, usb_stack,
    ::testing::Values(
        configuration{"super_speed", {}, 1}, configuration{"high_speed", {}, 3},
        configuration{"contexts_of_64_bytes", {.large_contexts = true, .scratchpads = 40}, 1},
        configuration{"qemu", {.like_qemu = true, .scratchpads = 0}, 2},
        configuration{"silence_at_a_pull", {.at_pull = hc::in_flight_end::silence}, 1},
        configuration{"firmware_in_the_way", {.firmware_owns_it = true}, 4},
        configuration{"no_interrupt_line", {.interrupt_line = false}, 1}),
    [](const auto& each) { return std::string(each.param.name); });

// The largest requests, with blocks that are scattered over the memory, in both directions: all can
// be sent, and the device is not reset.
TEST(usb_stack_requests, are_sent_however_their_blocks_are_scattered) {
  medium stick(8192);
  for (size_t i = 0; i < stick.bytes().size(); ++i)
    stick.bytes()[i] = static_cast<byte>(i / BLOCK_SIZE * 7);
  stick.least_latency = 50_us;
  stick.most_latency = 100_us;
  usb_machine machine;
  world world({.seed = 1, .pages = 32768, .time_limit = 3000_s});
  world.run([&] {
    boot();
    machine.power_on();
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    block_device& disk = *disk_of(sda)->device;
    const u32 blocks = disk.max_sectors / SECTORS_PER_BLOCK;
    const std::span<byte> memory = allocate_pages(blocks);
    std::vector<buffer_head> heads(blocks);
    for (const block_command cmd : {block_command::read, block_command::write}) {
      for (u32 i = 0; i < blocks; ++i) {
        heads[i].b_data = memory.data() + size_t{i} * PAGE_SIZE;  // never two in a row
        disk.submit(cmd, lba{16 + SECTORS_PER_BLOCK * i}, heads[i]);
      }
      for (buffer_head& bh : heads) wait_on_buffer(bh);
    }
    for (u32 i = 0; i < blocks; ++i) {
      EXPECT_TRUE(heads[i].b_uptodate && !heads[i].b_error) << i;
      EXPECT_EQ(heads[i].b_data[0], static_cast<byte>((8 + i) * 7)) << i;
    }
    EXPECT_EQ(machine.stick_of(stick).bus_resets(), resets_of_an_enumeration);
    free_pages(memory);
    stick.pull();
    sleep_for(3_s);
  });
  EXPECT_EQ(violations(machine), "");
}

// --- what a device says of itself ---

void on_usb_machine(const std::function<void(usb_machine&, medium&)>& body) {
  medium stick(2048);
  usb_machine machine;
  world world({.seed = 1, .time_limit = 3000_s});
  world.run([&] {
    boot();
    machine.power_on();
    body(machine, stick);
    stick.pull();
    sleep_for(3_s);
  });
  EXPECT_EQ(violations(machine), "");
}

TEST(usb_devices, one_of_another_class_is_no_disk) {
  on_usb_machine([](usb_machine& machine, medium& stick) {
    machine.stick_of(stick).interface_class = 3;
    stick.plug(machine.port(1));
    sleep_for(10_s);
    EXPECT_TRUE(said("no driver for this device")) << here().console();
    EXPECT_EQ(machine.stick_of(stick).commands(), 0u);
    stick.pull();
    sleep_for(1_s);
    machine.stick_of(stick).interface_class = 8;
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
  });
}

// A port has the memory for one bulk endpoint of each direction.
TEST(usb_devices, the_first_bulk_endpoint_of_each_direction_is_used) {
  on_usb_machine([](usb_machine& machine, medium& stick) {
    machine.stick_of(stick).second_pair = true;
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    EXPECT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

// --- failures other than a pull ---

// Something fails once while a file is written; in the end the file is on the stick.
void survives(const std::function<void(usb_machine&, medium&)>& trouble, u32 port = 1,
              const hc::controller_settings& settings = {}) {
  for_each_seed(3, [&](u64 seed) {
    medium stick(mkfs_minix(400));
    usb_machine machine(settings);
    world world({.seed = seed, .time_limit = 3000_s});
    world.run([&] {
      session process(boot_with_root());
      machine.power_on();
      stick.plug(machine.port(port));
      await_state(sda, volume_state::live);
      ASSERT_TRUE(process.mount());
      const std::string text = pattern(40'000, 3);
      ASSERT_TRUE(process.write("/mnt/file", text));
      trouble(machine, stick);
      static_cast<void>(sys_sync());
      sleep_for(20_s);
      await_state(sda, volume_state::live);
      EXPECT_TRUE(sys_sync());
      EXPECT_EQ(process.read("/mnt/file").value_or(""), text);
      EXPECT_TRUE(process.umount());
      stick.pull({.loss = cache_loss::all});
      sleep_for(3_s);
      EXPECT_EQ(machine.controller().slots_in_use(), 0u);
    });
    EXPECT_EQ(violations(machine), "");
    EXPECT_EQ(fsck_minix(stick.durable()), "");
    EXPECT_TRUE(minix_image(stick.durable()).has("/file"));
  });
}

// Changes the answer to the next command with this operation code.
void meddle_once(usb_stick& stick, u8 opcode, void (*how)(usb_stick::answer&)) {
  stick.meddle = [&stick, opcode, how](u8 now, usb_stick::answer& answer) {
    if (now != opcode) return;
    how(answer);
    stick.meddle = [](u8, usb_stick::answer&) {};
  };
}

constexpr u8 write_10 = 0x2A;

TEST(usb_trouble, a_status_that_stalls_is_asked_for_again) {
  survives([](usb_machine& machine, medium& stick) {
    meddle_once(machine.stick_of(stick), write_10, [](auto& a) { a.stall_status = true; });
  });
}

TEST(usb_trouble, a_status_of_another_command_leads_to_a_reset) {
  survives([](usb_machine& machine, medium& stick) {
    meddle_once(machine.stick_of(stick), write_10, [](auto& a) { a.wrong_tag = true; });
  });
}

TEST(usb_trouble, a_stick_that_hangs_is_reset) {
  survives(
      [](usb_machine& machine, medium& stick) {
        meddle_once(machine.stick_of(stick), write_10, [](auto& a) { a.hang = true; });
      },
      3);
}

// The device fails a write before it has taken the data: it is not reset for that.
TEST(usb_trouble, data_that_were_not_taken_are_taken_back) {
  survives([](usb_machine& machine, medium& stick) {
    usb_stick& device = machine.stick_of(stick);
    meddle_once(device, write_10, [](auto& a) {
      a.status = 1;
      a.residue = 1;
      a.leave_data = true;
    });
    const u32 resets = device.bus_resets();
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(device.bus_resets(), resets);
  });
}

// The stick is pulled and another one is plugged in before the driver has looked at the port. QEMU
// shows the new one at once, so only the change bit tells of the exchange.
TEST(usb_trouble, a_quick_exchange_of_sticks_is_noticed) {
  survives(
      [](usb_machine& machine, medium& stick) {
        medium other(mkfs_minix(64));
        {
          const irq_guard unnoticed;
          stick.pull({.loss = cache_loss::some});
          other.plug(machine.port(1));
        }
        await_state(sdb, volume_state::live);
        EXPECT_EQ(state_of(sda), volume_state::absent);
        EXPECT_EQ(other.count(block_command::write), 0u);
        other.pull();
        sleep_for(1_s);
        stick.plug(machine.port(1));
      },
      1, {.like_qemu = true});
}

TEST(usb_trouble, a_controller_that_fails_is_started_anew) {
  survives([](usb_machine& machine, medium&) { machine.controller().break_down(); });
}

// The stick is pulled, and plugged in while something is wrong with the controller; if it does not
// come back, it is pulled and plugged in once more.
void replug_with(usb_machine& machine, medium& stick, const std::function<void()>& trouble) {
  stick.pull({.loss = cache_loss::some});
  sleep_for(1_s);
  trouble();
  stick.plug(machine.port(2));
  sleep_for(15_s);
  if (state_of(sda) == volume_state::live) return;
  stick.pull();
  sleep_for(1_s);
  stick.plug(machine.port(1));
}

TEST(usb_trouble, a_controller_that_describes_itself_badly_is_not_used) {
  usb_machine machine({.slots = 0});
  world world({});
  world.run([&] {
    boot_with_root();
    machine.power_on();
    sleep_for(60_s);
    EXPECT_TRUE(said("does not start"));
    EXPECT_TRUE(said("it fails again and again"));
  });
}

TEST(usb_trouble, a_command_that_hangs_is_aborted) {
  for (u32 type : {9u, 11u, 12u})  // Enable Slot, Address Device, Configure Endpoint
    survives([type](usb_machine& machine, medium& stick) {
      replug_with(machine, stick, [&] { machine.controller().hang_command = type; });
    });
}

// Contacts that bounce: one answer is lost while the stick is being identified.
TEST(usb_trouble, a_descriptor_that_is_lost_is_asked_for_again) {
  for (u32 value : {0x0100u, 0x0200u, 0x0300u, 0x0303u})  // device, configuration, strings
    survives([value](usb_machine& machine, medium& stick) {
      stick.pull({.loss = cache_loss::some});
      sleep_for(1_s);
      machine.stick_of(stick).lose_descriptor = value;
      stick.plug(machine.port(2));
      sleep_for(30_s);
      EXPECT_EQ(state_of(sda), volume_state::live) << std::hex << value;
      if (state_of(sda) == volume_state::live) return;
      stick.pull();
      sleep_for(1_s);
      stick.plug(machine.port(1));
    });
}

// The stick comes back, and one step of its configuration fails. It is not pulled for that.
void configures_in_spite_of(const std::function<void(usb_machine&, usb_stick&)>& trouble) {
  survives([&](usb_machine& machine, medium& stick) {
    stick.pull({.loss = cache_loss::some});
    sleep_for(1_s);
    trouble(machine, machine.stick_of(stick));
    stick.plug(machine.port(2));
    sleep_for(30_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
    if (state_of(sda) == volume_state::live) return;
    stick.pull();
    sleep_for(1_s);
    stick.plug(machine.port(1));
  });
}

constexpr u8 set_configuration = 9;

TEST(usb_trouble, a_configuration_without_an_answer_is_set_again) {
  configures_in_spite_of(
      [](usb_machine&, usb_stick& stick) { stick.lose_request = set_configuration; });
}

TEST(usb_trouble, a_configuration_that_stalls_is_set_again) {
  configures_in_spite_of(
      [](usb_machine&, usb_stick& stick) { stick.refuse_request = set_configuration; });
}

TEST(usb_trouble, endpoints_that_are_not_configured_are_configured_again) {
  configures_in_spite_of(
      [](usb_machine& machine, usb_stick&) { machine.controller().hang_command = 12u; });
}

// Another device has the controller's only slot when the stick comes back. It gets the slot when
// the other one leaves, and is not pulled for that.
TEST(usb_trouble, a_stick_without_a_slot_waits_for_one) {
  medium other(2048, "SIM2");
  survives(
      [&](usb_machine& machine, medium& stick) {
        stick.pull({.loss = cache_loss::some});
        sleep_for(1_s);
        other.plug(machine.port(2));
        await_state(sdb, volume_state::live);
        stick.plug(machine.port(1));
        sleep_for(10_s);
        EXPECT_EQ(state_of(sda), volume_state::absent);
        other.pull();
        sleep_for(10_s);
        EXPECT_EQ(state_of(sda), volume_state::live);
        if (state_of(sda) == volume_state::live) return;
        stick.pull();
        sleep_for(1_s);
        stick.plug(machine.port(1));
      },
      1, {.slots = 1});
}

// A device that does not answer has no effect on the device beside it.
TEST(usb_trouble, an_abort_leaves_other_devices_alone) {
  for_each_seed(10, [](u64 seed) {
    medium stick(mkfs_minix(400)), bad(mkfs_minix(64), "SIM2");
    usb_machine machine;
    world world({.seed = seed, .time_limit = 3000_s});
    world.run([&] {
      boot();
      machine.power_on();
      stick.plug(machine.port(1));
      await_state(sda, volume_state::live);
      machine.controller().hang_command = 11u;  // Address Device
      bad.plug(machine.port(2));
      await_state(sdb, volume_state::live);
      EXPECT_EQ(stick.plugs(), 1u);
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_FALSE(said("is gone"));
      bad.pull();
      stick.pull();
      sleep_for(3_s);
    });
    EXPECT_EQ(violations(machine), "");
  });
}

TEST(usb_trouble, a_command_ring_that_does_not_stop_restarts_the_controller) {
  survives([](usb_machine& machine, medium& stick) {
    replug_with(machine, stick, [&] {
      machine.controller().ring_never_stops = true;
      machine.controller().hang_command = 11u;
    });
    EXPECT_TRUE(said("a command cannot be aborted"));
  });
}

TEST(usb_trouble, a_command_that_was_not_begun_is_struck_out) {
  survives([](usb_machine& machine, medium& stick) {
    replug_with(machine, stick, [&] { machine.controller().ignore_commands = true; });
  });
}

// The stick is pulled in the middle of a write, and the command that would take the transfer back
// hangs. The controller may read the data until it has been reset.
TEST(usb_trouble, an_endpoint_that_cannot_be_stopped_stops_the_controller) {
  survives(
      [](usb_machine& machine, medium& stick) {
        meddle_once(machine.stick_of(stick), write_10, [](auto& a) { a.hang = true; });
        machine.controller().hang_command = 15u;  // Stop Endpoint
        daemon("hand", [&] {
          sleep_for(1_s);
          stick.pull({.loss = cache_loss::some});
          sleep_for(10_s);
          stick.plug(machine.port(2));
        });
      },
      1, {.at_pull = hc::in_flight_end::silence});
}

// Data that the device has not taken are taken back, and the endpoint cannot be set to another
// place. It must not go on: only the device is reset.
TEST(usb_trouble, an_endpoint_that_stays_where_it_was_costs_one_reset) {
  survives([](usb_machine& machine, medium& stick) {
    usb_stick& device = machine.stick_of(stick);
    device.meddle = [&machine, &device](u8 now, usb_stick::answer& answer) {
      if (now != write_10) return;
      answer.status = 1;
      answer.residue = 1;
      answer.leave_data = true;
      machine.controller().hang_command = 16u;  // Set TR Dequeue Pointer
      device.meddle = [](u8, usb_stick::answer&) {};
    };
    const u32 resets = device.bus_resets();
    static_cast<void>(sys_sync());
    sleep_for(20_s);
    EXPECT_EQ(device.bus_resets(), resets + 1);
    EXPECT_FALSE(said("every device on it is gone"));
  });
}

// A read hangs, and so does everything that would take it back, HCRST included. After the caller
// has freed the memory, the controller must not reach it any more.
TEST(usb_trouble, a_controller_that_cannot_be_reset_is_cut_off_from_memory) {
  medium stick(2048);
  usb_machine machine;
  world world({.seed = 1, .time_limit = 3000_s});
  world.run([&] {
    boot();
    machine.power_on();
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    usb_stick& device = machine.stick_of(stick);
    meddle_once(device, 0x28, [](auto& a) { a.hang = true; });
    machine.controller().hang_command = 15u;  // Stop Endpoint
    machine.controller().never_resets = true;
    const std::span<byte> memory = allocate_pages(1);
    EXPECT_FALSE(read_blocks(*disk_of(sda)->device, lba{0}, memory));
    free_pages(memory);
    device.stop_hanging();
    sleep_for(20_s);
    EXPECT_TRUE(machine.controller().is_cut_off());
    sleep_for(100_s);
    EXPECT_TRUE(machine.controller().is_cut_off());
    machine.controller().never_resets = false;
    sleep_for(90_s);
    EXPECT_FALSE(machine.controller().is_cut_off()) << "it was never given up";
    EXPECT_EQ(state_of(sda), volume_state::live);
    stick.pull();
    sleep_for(1_s);
  });
  EXPECT_EQ(violations(machine), "");
}

TEST(usb_trouble, a_slot_that_stays_enabled_stops_the_controller) {
  survives([](usb_machine& machine, medium& stick) {
    machine.controller().hang_command = 10u;  // Disable Slot
    stick.pull({.loss = cache_loss::some});
    sleep_for(15_s);
    stick.plug(machine.port(2));
  });
}

}  // namespace
}  // namespace sim
