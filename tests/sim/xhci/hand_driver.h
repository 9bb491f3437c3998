// A small driver for tests of the simulated controller: it does what the test tells it to, right or
// wrong. Every ring is one page and is never used up; the test gives the cycle bit of each TRB.
//
//   on_controller([](hand_driver& d) {
//     d.configure();                    // a device in port 1 with endpoints 3 (IN) and 4 (OUT)
//     d.put(4, 0, d.data_trb(512));
//     d.work(4);                        // the doorbell, and time for the controller
//     EXPECT_EQ(d.complaints(), "");
//   });
#pragma once

#include <functional>

#include "hal/dma.h"
#include "hal/mmio.h"
#include "hal/wait.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

constexpr u32 bulk_in_dci = 3, bulk_out_dci = 4;
constexpr u32 bulk_packet = 1024;

// The bits of a TRB's control word.
constexpr u32 with_cycle = 1, with_chain = 1u << 4, with_data_inside = 1u << 6,
              from_device = 1u << 16;

// A device that answers every packet in the same way.
class plain_function final : public usb_function {
 public:
  handshake answer = handshake::ack;
  u32 gives = 0;  // bytes for every IN token
  // After so many IN packets it answers with NAK.
  u32 packets_to_give = ~0u;

  void attached(bus_speed) override {
    packet_sizes.fill(bulk_packet);
    bus_reset();
  }
  void bus_reset() override { address_ = 0; }
  void set_address(u8 address) override { address_ = address; }
  u8 address() const override { return address_; }
  void setup(const std::array<u8, 8>&) override {}
  u32 packets_taken = 0, packets_given = 0;
  handshake out(u8, std::span<const byte>) override {
    ++packets_taken;
    return answer;
  }
  packet in(u8, u32) override {
    if (packets_to_give == 0) return {handshake::nak, {}};
    --packets_to_give;
    ++packets_given;
    return {answer, std::vector<byte>(gives)};
  }

 private:
  u8 address_ = 0;
};

class hand_driver {
 public:
  explicit hand_driver(u32 scratchpads);  // the controller runs

  // --- registers ---
  void op(u32 offset, u32 value) { registers_.write32(operational_base + offset, value); }
  u32 read_op(u32 offset) const { return registers_.read32(operational_base + offset); }
  void runtime(u32 offset, u32 value) { registers_.write32(runtime_base + offset, value); }
  void write(u32 offset, u32 value) { registers_.write32(offset, value); }
  void doorbell(u32 id, u32 target) { registers_.write32(doorbell_base + 4 * id, target); }
  // Writes ERSTBA; on this write the model reads the event ring's table.
  void give_event_ring() {
    registers_.write64(runtime_base + erstba_low, table_.address().value());
  }
  // ERDP becomes the address of that event.
  void set_dequeue(u32 index) {
    registers_.write64(runtime_base + erdp_low, events_.address().value() + index * sizeof(trb));
  }
  u64& event_ring_base() { return table_.as<u64>()[0]; }
  u64& event_ring_size() { return table_.as<u64>()[1]; }

  void halt() {
    op(usbcmd, 0);
    sleep_for(20_ms);
  }

  // --- commands ---
  // Gives a command. Returns the completion code of the next command event, 0 for none within a
  // second.
  u32 command(u32 type, u32 slot_id = 0, u64 parameter = 0, u32 cycle = 1, u32 endpoint = 0);
  dma_buffer& commands() { return commands_; }
  // The completion codes of the transfer events that command() has met so far.
  std::vector<u32> transfer_codes;
  // The events that are written and that command() has not met.
  u32 unseen_events() const;
  // Gives a command and does not wait.
  void give_command(u32 type, u32 slot_id, u64 parameter, u32 cycle = 1, u32 endpoint = 0);

  // --- a device in port 1, step by step ---
  u32 enable_slot();
  void fill_address_input();
  u64& context_pointer(u32 id) { return contexts_.as<u64>()[id]; }
  u32 address_device() { return command(cmd_address_device, slot, input.address().value()); }
  void fill_endpoint_input();
  u32 configure_endpoints() {
    return command(cmd_configure_endpoint, slot, input.address().value());
  }
  // plug(): until there is a correct input context for Address Device. address(): the same, and
  // gives that command. configure(): the same, and configures both endpoints.
  void plug();
  void address();
  void configure();
  u32& input_word(u32 context, u32 word) { return input.as<u32>()[context * 8 + word]; }

  plain_function device;
  u32 slot = 0;  // the one enabled last
  dma_buffer input, output, data;

  // --- transfers ---
  void put(u32 dci, u32 index, const trb& t) { rings_[dci].as<trb>()[index] = t; }
  // Moves `length` bytes of `data` from its beginning on.
  trb data_trb(u32 length, u32 flags = 0, u32 td_size = 0) const {
    return {data.address().value(), length | td_size << 17, trb_normal << 10 | flags | with_cycle};
  }
  trb link_to(u32 dci, u32 index, u32 flags = 0) const {
    return {place(dci, index), 0, trb_link << 10 | flags | with_cycle};
  }
  u64 place(u32 dci, u32 index) const {
    return rings_[dci].address().value() + index * sizeof(trb);
  }
  void work(u32 dci);
  // Endpoint 3 is at work from now on: its device answers with NAK.
  void leave_in_at_work();
  dma_buffer& ring(u32 dci) { return rings_[dci]; }

  controller& model() { return controller_; }
  std::string complaints() const;  // a line each

 private:
  void start();
  void point_to_ring(u32 dci);

  timeline time_;
  controller controller_;
  mmio_region window_;
  mmio_window registers_;
  dma_buffer commands_, events_, table_, contexts_;
  std::array<dma_buffer, 5> rings_;  // by device context index
  u32 given_ = 0, seen_ = 0;
};

// Runs `body` in a world with such a driver.
void on_controller(const std::function<void(hand_driver&)>& body, u32 scratchpads = 0);
// The same; then the controller must have complained of this once, and of nothing else.
void expect_complaint(const std::string& complaint, const std::function<void(hand_driver&)>& body,
                      u32 scratchpads = 0);
// The same, but what follows from the broken rule may be complained of as well.
void expect_complaint_first(const std::string& complaint,
                            const std::function<void(hand_driver&)>& body);

}  // namespace sim::hc
