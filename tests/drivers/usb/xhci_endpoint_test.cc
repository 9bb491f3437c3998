// The driver's endpoints on the simulated controller, used as a class driver uses them (usb.h):
// what happens to transfers that fail or are taken back, and to the transfers queued behind them.
#include <gtest/gtest.h>

#include <cstring>

#include "drivers/usb/storage/bot.h"
#include "drivers/usb/xhci/device.h"
#include "hal/clock.h"
#include "tests/fs/machine.h"
#include "tests/sim/xhci/machine.h"

namespace xhci {
namespace {

using sim::medium;
using sim::usb_machine;
using usb::storage::command_block_wrapper;
using usb::storage::command_status_wrapper;

constexpr u8 in_address = 0x81, out_address = 0x02;
constexpr u8 test_unit_ready = 0x00, read_10 = 0x28, clear_feature = 1;
constexpr u32 reset_endpoint{sim::hc::cmd_reset_endpoint}, set_dequeue{sim::hc::cmd_set_dequeue};

// The error, if there is one.
template <class T>
std::optional<error> error_of(const result<T>& outcome) {
  return outcome ? std::nullopt : std::optional(outcome.error());
}

// A stick that is enumerated and whose class driver is idle: the test sends the commands.
class bench {
 public:
  bench(medium& storage, usb_machine& machine) : storage_(storage), machine_(machine) {
    sim::boot();
    machine.power_on();
    storage.plug(machine.port(1));
    sim::await_state(sim::sda, checkpoint::volume_state::live);
    storage.least_latency = 50_us;
    storage.most_latency = 100_us;
    memory_ = *dma_buffer::allocate(4096, 4096);
  }

  usb::device& device() { return *machine_.driver().port(1).occupant; }
  sim::hc::controller& hardware() { return machine_.controller(); }
  sim::usb_stick& stick() { return machine_.stick_of(storage_); }

  // One transfer of the page's bytes at `offset`.
  usb::transfer in(u32 offset, u32 length) { return transfer(in_address, offset, length); }
  usb::transfer data() { return in(data_offset, SECTOR_SIZE); }
  usb::transfer status() { return in(status_offset, sizeof(command_status_wrapper)); }
  // Data OUT in place of a command wrapper: the device answers with a STALL, and from then on both
  // its endpoints do until clear_both().
  usb::transfer nonsense() { return transfer(out_address, data_offset, SECTOR_SIZE); }
  void clear_both() {
    EXPECT_TRUE(device().clear_halt(in_address));
    EXPECT_TRUE(device().clear_halt(out_address));
  }

  // Sends a command wrapper, which the stick accepts with any command in it.
  void send(u8 opcode, u32 length = 0) {
    command_block_wrapper cbw;
    cbw.signature = command_block_wrapper::good_signature;
    cbw.data_length = length;
    cbw.flags = 0x80;
    cbw.cdb_length = opcode == test_unit_ready ? 6 : 10;
    cbw.cdb[0] = opcode;
    if (length) cbw.cdb[2] = 0xFF, cbw.cdb[8] = static_cast<u8>(length / SECTOR_SIZE);
    std::memset(memory_.bytes().data(), 0, memory_.bytes().size());
    std::memcpy(memory_.bytes().data(), &cbw, sizeof(cbw));
    usb::transfer wrapper = transfer(out_address, 0, sizeof(cbw));
    ASSERT_TRUE(device().submit(wrapper));
    ASSERT_TRUE(device().wait(wrapper, now() + 1_s));
  }
  // A READ(10) from behind the end of the disk: its data stage ends with a STALL.
  void send_impossible_read() { send(read_10, SECTOR_SIZE); }
  // Runs a whole command without data. True when its status has come.
  bool run(u8 opcode) {
    send(opcode);
    usb::transfer end = status();
    return device().submit(end) && device().wait(end, now() + 1_s) &&
           status_stands_at(status_offset);
  }

  bool status_stands_at(u32 offset) const {
    return std::memcmp(memory_.bytes().data() + offset, "USBS", 4) == 0;
  }
  static constexpr u32 status_offset = 64, data_offset = 512;

 private:
  usb::transfer transfer(u8 address, u32 offset, u32 length) {
    dma_segment& segment = segments_[next_segment_++ % segments_.size()];
    segment = {memory_.address() + offset, length};
    return {.endpoint_address = address, .segments = {&segment, 1}};
  }

  medium& storage_;
  usb_machine& machine_;
  dma_buffer memory_;
  std::array<dma_segment, 4> segments_;
  u32 next_segment_ = 0;
};

// Afterwards the simulated controller must have no complaints.
void on_stick(u64 seed, const std::function<void(bench&)>& body) {
  medium storage(2048);
  usb_machine machine;
  sim::world world({.seed = seed, .time_limit = 1000_s});
  world.run([&] {
    {
      bench b(storage, machine);
      body(b);
    }
    storage.pull();
    sleep_for(1_s);
    EXPECT_EQ(machine.controller().slots_in_use(), 0u);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
}

TEST(xhci_endpoint, goes_on_behind_a_transfer_that_stalled) {
  on_stick(1, [](bench& b) {
    b.send_impossible_read();
    usb::transfer data = b.data(), status = b.status();
    ASSERT_TRUE(b.device().submit(data));
    ASSERT_TRUE(b.device().submit(status));
    EXPECT_EQ(error_of(b.device().wait(data, now() + 1_s)), error::epipe);
    EXPECT_FALSE(status.done);
    EXPECT_TRUE(b.device().clear_halt(in_address));
    EXPECT_TRUE(b.device().wait(status, now() + 1_s));
    EXPECT_TRUE(b.status_stands_at(bench::status_offset));
  });
}

TEST(xhci_endpoint, does_not_execute_a_failed_transfer_again) {
  on_stick(1, [](bench& b) {
    b.send_impossible_read();
    usb::transfer data = b.data(), status = b.status();
    ASSERT_TRUE(b.device().submit(data));
    EXPECT_EQ(error_of(b.device().wait(data, now() + 1_s)), error::epipe);
    EXPECT_TRUE(b.device().clear_halt(in_address));
    ASSERT_TRUE(b.device().submit(status));
    EXPECT_TRUE(b.device().wait(status, now() + 1_s));
    EXPECT_TRUE(b.status_stands_at(bench::status_offset));
    EXPECT_FALSE(b.status_stands_at(bench::data_offset));
  });
}

TEST(xhci_endpoint, zero_is_of_use_after_a_stall) {
  on_stick(1, [](bench& b) {
    std::array<byte, 18> descriptor{};
    const auto nonsense = usb::descriptor_type{99};
    EXPECT_EQ(error_of(usb::get_descriptor(b.device(), nonsense, 0, 0, descriptor)), error::epipe);
    const auto device = usb::descriptor_type::device;
    EXPECT_EQ(usb::get_descriptor(b.device(), device, 0, 0, descriptor), 18u);
    EXPECT_EQ(descriptor[0], byte{18});
  });
}

// A transfer that completes while its endpoint is being stopped ends with success, any other one
// does not.
TEST(xhci_endpoint, takes_back_only_what_has_not_completed) {
  u32 completed = 0, taken_back = 0;
  sim::for_each_seed(40, [&](u64 seed) {
    on_stick(seed, [&](bench& b) {
      b.send(test_unit_ready);
      usb::transfer status = b.status();
      ASSERT_TRUE(b.device().submit(status));
      sleep_for(duration{static_cast<i64>(sim::random_below(100'000))});
      b.device().cancel(in_address);
      ASSERT_TRUE(status.done);
      const bool came = b.status_stands_at(bench::status_offset);
      EXPECT_EQ(status.outcome.has_value(), came);
      ++(came ? completed : taken_back);
    });
  });
  EXPECT_GT(completed, 0u);
  EXPECT_GT(taken_back, 0u);
}

// CLEAR_FEATURE(ENDPOINT_HALT) sets the device's data toggle back, also for an endpoint that is not
// halted.
TEST(xhci_endpoint, keeps_step_with_the_device_over_a_cleared_halt) {
  on_stick(1, [](bench& b) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(b.run(test_unit_ready));
      EXPECT_TRUE(b.device().clear_halt(in_address));
      EXPECT_TRUE(b.device().clear_halt(out_address));
    }
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

// --- an endpoint that does not run ---

// The device stalls at any moment while its transfer is taken back: the endpoint is of use again.
TEST(xhci_endpoint, is_of_use_after_a_stall_during_a_cancel) {
  u32 stalled = 0, taken_back = 0;
  sim::for_each_seed(40, [&](u64 seed) {
    on_stick(seed, [&](bench& b) {
      usb::transfer data = b.nonsense();
      ASSERT_TRUE(b.device().submit(data));
      sleep_for(duration{static_cast<i64>(sim::random_below(60'000))});
      b.device().cancel(out_address);
      ASSERT_TRUE(data.done);
      ASSERT_FALSE(data.outcome);
      ++(data.outcome.error() == error::epipe ? stalled : taken_back);
      EXPECT_TRUE(b.device().clear_halt(in_address));
      EXPECT_TRUE(b.run(test_unit_ready));
    });
  });
  EXPECT_GT(stalled, 0u);
  EXPECT_GT(taken_back, 0u);
}

// The transfer was believed to be done when the device refused it. What comes next is not queued
// for an endpoint that never goes on.
TEST(xhci_endpoint, refuses_transfers_after_a_stall_that_came_too_late) {
  on_stick(1, [](bench& b) {
    usb::transfer data = b.nonsense(), next = b.nonsense();
    data.quiet = true;
    ASSERT_TRUE(b.device().submit(data));
    b.device().settle(data);
    EXPECT_TRUE(data.done && data.outcome);
    sleep_for(1_ms);
    EXPECT_EQ(error_of(b.device().submit(next)), error::epipe);
    b.clear_both();
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

TEST(xhci_endpoint, forgets_the_outcome_of_a_transfer_that_is_submitted_again) {
  on_stick(1, [](bench& b) {
    usb::transfer data = b.nonsense();
    ASSERT_TRUE(b.device().submit(data));
    EXPECT_FALSE(b.device().wait(data, now() + 1_s));
    b.clear_both();
    ASSERT_TRUE(b.device().submit(data));
    EXPECT_TRUE(data.outcome && !data.done);
    EXPECT_FALSE(b.device().wait(data, now() + 1_s));
    b.clear_both();
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

// Reset Device or Configure Endpoint fails: so does the reset, and nothing is done after that.
TEST(xhci_endpoint, is_not_usable_after_a_reset_that_has_failed) {
  constexpr u32 reset_device{sim::hc::cmd_reset_device}, configure{sim::hc::cmd_configure_endpoint};
  for (const auto& [failing, given] : {std::pair{reset_device, 3u}, {configure, 5u}})
    on_stick(1, [failing = failing, given = given](bench& b) {
      b.hardware().hang_command = failing;
      const u32 begun = b.hardware().commands_begun;
      EXPECT_EQ(error_of(b.device().reset()), error::etimedout);
      EXPECT_EQ(b.hardware().commands_begun, begun + given);
      usb::transfer t = b.status();
      EXPECT_EQ(error_of(b.device().submit(t)), error::epipe);
      EXPECT_TRUE(b.device().reset());
      EXPECT_TRUE(b.run(test_unit_ready));
    });
}

// Disable Slot: nothing is under way that would have to be stopped.
TEST(xhci_endpoint, takes_one_command_to_release_when_it_is_idle) {
  medium storage(2048);
  usb_machine machine;
  sim::world world({.seed = 1, .time_limit = 1000_s});
  world.run([&] {
    const bench b(storage, machine);
    sleep_for(10_ms);
    const u32 begun = machine.controller().commands_begun;
    storage.pull();
    sleep_for(1_s);
    EXPECT_EQ(machine.controller().commands_begun, begun + 1);
  });
}

// Stop Endpoint, Set TR Dequeue Pointer.
TEST(xhci_endpoint, takes_two_commands_to_cancel) {
  on_stick(1, [](bench& b) {
    const u32 begun = b.hardware().commands_begun;
    b.device().cancel(out_address);
    EXPECT_EQ(b.hardware().commands_begun, begun + 2);
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

// A request may stall at the moment in which it is taken back. EP0 is no endpoint to be configured.
TEST(xhci_endpoint, zero_is_of_use_after_a_stall_during_a_cancel) {
  u32 stalled = 0, timed_out = 0;
  sim::for_each_seed(40, [&](u64 seed) {
    on_stick(seed, [&](bench& b) {
      std::array<byte, 18> descriptor{};
      const usb::setup_packet nonsense{.request_type = 0x80, .request = 99, .length = 18};
      const duration patience{static_cast<i64>(sim::random_below(60'000))};
      const error why = b.device().control(nonsense, descriptor, patience).error();
      ++(why == error::epipe ? stalled : timed_out);
      const auto device = usb::descriptor_type::device;
      EXPECT_EQ(usb::get_descriptor(b.device(), device, 0, 0, descriptor), 18u);
    });
  });
  EXPECT_GT(stalled, 0u);
  EXPECT_GT(timed_out, 0u);
}

// A device that is gone: no command is given for it, and nothing is queued.
TEST(xhci_endpoint, does_nothing_for_a_device_that_is_gone) {
  medium storage(2048);
  usb_machine machine({.like_qemu = true});
  sim::world world({.seed = 1, .time_limit = 1000_s});
  world.run([&] {
    bench b(storage, machine);
    usb::device& device = b.device();
    usb::transfer t = b.nonsense();
    std::array<byte, 18> descriptor{};
    storage.pull();
    ASSERT_TRUE(device.gone());
    const instant begun = now();
    const usb::setup_packet request{.request_type = 0x80, .request = 6, .length = 18};
    EXPECT_EQ(error_of(device.submit(t)), error::enodev);
    EXPECT_EQ(error_of(device.control(request, descriptor)), error::enodev);
    EXPECT_EQ(error_of(device.clear_halt(out_address)), error::enodev);
    EXPECT_EQ(error_of(device.reset()), error::enodev);
    EXPECT_EQ(now().ns, begun.ns) << "it has not waited for a command";
    sleep_for(1_s);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
}

// Some controllers take milliseconds to start an endpoint after a doorbell. Until then its context
// shows it as stopped, and it cannot be stopped; but it is going to execute what is on its ring.
TEST(xhci_endpoint, is_stopped_although_it_begins_late) {
  on_stick(1, [](bench& b) {
    b.send_impossible_read();  // the device takes no data OUT
    usb::transfer first = b.nonsense(), second = b.nonsense(), third = b.nonsense();
    ASSERT_TRUE(b.device().submit(first));
    sleep_for(1_ms);
    b.device().cancel(out_address);
    b.hardware().late_starts = 50_ms;
    ASSERT_TRUE(b.device().submit(second));
    b.device().cancel(out_address);
    EXPECT_TRUE(second.done);
    b.hardware().late_starts = {};
    EXPECT_TRUE(b.device().submit(third)) << "it was stopped, and has another place to go on";
    b.device().cancel(out_address);
    EXPECT_FALSE(sim::said("an endpoint cannot be stopped"));
  });
}

// A controller may refuse to stop an endpoint that has just begun to run again.
TEST(xhci_endpoint, is_stopped_as_soon_as_it_can_be) {
  for (const u32 failing : {1u, 2u, 20u})
    on_stick(1, [&](bench& b) {
      b.send_impossible_read();  // the device takes no data OUT
      usb::transfer data = b.nonsense();
      ASSERT_TRUE(b.device().submit(data));
      sleep_for(1_ms);
      b.hardware().fail_command = {
          .left = 1, .code = sim::hc::context_state_error, .in_a_row = failing};
      b.device().cancel(out_address);
      EXPECT_TRUE(data.done);
      EXPECT_FALSE(sim::said("an endpoint cannot be stopped"));
    });
}

// A step of the recovery fails: the endpoint does not run, so nothing is sent to the device before
// a reset.
TEST(xhci_endpoint, does_not_run_until_its_recovery_has_succeeded) {
  for (const u32 failing : {reset_endpoint, set_dequeue})
    on_stick(1, [&](bench& b) {
      usb::transfer data = b.nonsense(), next = b.nonsense();
      ASSERT_TRUE(b.device().submit(data));
      EXPECT_EQ(error_of(b.device().wait(data, now() + 1_s)), error::epipe);
      b.hardware().hang_command = failing;
      EXPECT_EQ(error_of(b.device().clear_halt(out_address)), error::etimedout);
      const u32 begun = b.hardware().transfers_begun;
      EXPECT_EQ(error_of(b.device().submit(next)), error::epipe);
      sleep_for(1_ms);
      EXPECT_EQ(b.hardware().transfers_begun, begun);
      EXPECT_TRUE(b.device().reset());
      EXPECT_TRUE(b.run(test_unit_ready));
    });
}

// The device does not answer CLEAR_FEATURE: its toggle may be as it was.
TEST(xhci_endpoint, does_not_run_until_the_device_has_cleared_its_halt) {
  on_stick(1, [](bench& b) {
    usb::transfer data = b.nonsense(), next = b.nonsense();
    ASSERT_TRUE(b.device().submit(data));
    EXPECT_FALSE(b.device().wait(data, now() + 1_s));
    b.stick().lose_request = clear_feature;
    EXPECT_EQ(error_of(b.device().clear_halt(out_address)), error::etimedout);
    EXPECT_EQ(error_of(b.device().submit(next)), error::epipe);
    b.clear_both();
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

TEST(xhci_endpoint, stays_at_a_transfer_that_was_taken_back_and_does_not_execute_it) {
  on_stick(1, [&](bench& b) {
    b.send_impossible_read();  // the device has data IN to refuse, and takes no data OUT
    usb::transfer data = b.nonsense(), next = b.nonsense();
    ASSERT_TRUE(b.device().submit(data));
    sleep_for(1_ms);
    b.hardware().hang_command = set_dequeue;
    b.device().cancel(out_address);
    EXPECT_EQ(error_of(data.outcome), error::etimedout);
    const u32 begun = b.hardware().transfers_begun;
    EXPECT_EQ(error_of(b.device().submit(next)), error::epipe);
    sleep_for(1_ms);
    EXPECT_EQ(b.hardware().transfers_begun, begun);
    EXPECT_FALSE(sim::said("every device on it is gone")) << "it owns none of the memory";
    b.device().cancel(out_address);
    EXPECT_TRUE(b.device().reset());
    EXPECT_TRUE(b.run(test_unit_ready));
  });
}

// EP0 is restarted by the next request, as often as it takes.
TEST(xhci_endpoint, zero_is_restarted_by_the_next_request) {
  on_stick(1, [](bench& b) {
    std::array<byte, 18> descriptor{};
    const usb::setup_packet nonsense{.request_type = 0x80, .request = 99, .length = 18};
    EXPECT_EQ(error_of(b.device().control(nonsense, descriptor)), error::epipe);
    b.hardware().hang_command = reset_endpoint;
    EXPECT_EQ(error_of(b.device().control(nonsense, descriptor)), error::etimedout);
    const instant begun = now();
    EXPECT_EQ(error_of(b.device().control(nonsense, descriptor)), error::epipe);
    const auto device = usb::descriptor_type::device;
    EXPECT_EQ(usb::get_descriptor(b.device(), device, 0, 0, descriptor), 18u);
    EXPECT_LT((now() - begun).ns, (10_ms).ns) << "nothing has timed out";
  });
}

// 4.8.3: a TRB Error leads to the state Error, any other error halts the endpoint. After a Data
// Buffer Error some controllers go on. The data toggles are in step in each case.
TEST(xhci_endpoint, is_of_use_after_any_error) {
  for (const u32 code : {sim::hc::data_buffer_error, sim::hc::babble, sim::hc::transaction_error,
                         sim::hc::trb_error})
    for (const bool goes_on : {false, true})
      for (const bool odd : {false, true})
        on_stick(code, [&](bench& b) {
          b.hardware().goes_on_after_data_errors = goes_on;
          for (const u8 address : {out_address, in_address}) {
            if (odd) {  // both toggles are 1 now
              EXPECT_TRUE(b.run(test_unit_ready));
            }
            usb::transfer t = address == out_address ? b.nonsense() : b.status();
            b.hardware().fail_transfer = {1, code};
            ASSERT_TRUE(b.device().submit(t));
            EXPECT_EQ(error_of(b.device().wait(t, now() + 1_s)), error::eio);
            EXPECT_TRUE(b.device().clear_halt(address));
            EXPECT_TRUE(b.run(test_unit_ready));
          }
          b.hardware().fail_transfer = {1, code};
          std::array<byte, 18> descriptor{};
          const auto device = usb::descriptor_type::device;
          EXPECT_EQ(usb::get_descriptor(b.device(), device, 0, 0, descriptor), 18u) << "EP0";
        });
}

}  // namespace
}  // namespace xhci
