#include "tests/sim/xhci/hand_driver.h"

#include <gtest/gtest.h>

#include "hal/wait.h"
#include "tests/sim/scheduler.h"

namespace sim::hc {

namespace {
constexpr phys_addr window_at{0xFEB0'0000};
constexpr u32 bulk_out = 2, control_type = 4, bulk_in = 6;
constexpr u32 three_tries = 3u << 1;
}  // namespace

hand_driver::hand_driver(u32 scratchpads)
    : controller_({.scratchpads = scratchpads, .reserved_bits = 0}, time_),
      window_(window_at, window_size, controller_) {
  time_.start();
  registers_ = *map_mmio(window_at, window_size);
  for (dma_buffer* each : {&commands_, &events_, &input, &output, &contexts_, &table_})
    *each = *dma_buffer::allocate(4096, 4096);
  for (dma_buffer& ring : rings_) ring = *dma_buffer::allocate(4096, 4096);
  data = *dma_buffer::allocate(0x2'0000, 0x1'0000);
  op(usbcmd, cmd_reset);
  sleep_for(50_ms);
  start();
}

void hand_driver::start() {
  contexts_.as<u64>()[0] = input.address().value();
  input.as<u64>()[0] = data.address().value();
  table_.as<u64>()[0] = events_.address().value();
  table_.as<u64>()[1] = 256;
  op(config, 8);
  registers_.write64(operational_base + dcbaap_low, contexts_.address().value());
  registers_.write64(operational_base + crcr_low, commands_.address().value() | 1);
  runtime(erstsz, 1);
  registers_.write64(runtime_base + erdp_low, events_.address().value());
  give_event_ring();
  op(usbcmd, cmd_run);
  sleep_for(10_ms);
}

void hand_driver::give_command(u32 type, u32 slot_id, u64 parameter, u32 cycle, u32 endpoint) {
  commands_.as<trb>()[given_++] = {parameter, 0,
                                   type << 10 | slot_id << 24 | endpoint << 16 | cycle};
  doorbell(0, 0);
}

u32 hand_driver::command(u32 type, u32 slot_id, u64 parameter, u32 cycle, u32 endpoint) {
  give_command(type, slot_id, parameter, cycle, endpoint);
  sleep_for(1_s);
  for (; events_.as<trb>()[seen_].cycle(); ++seen_) {
    const trb& event = events_.as<trb>()[seen_];
    if (event.type() == event_transfer) transfer_codes.push_back(event.status >> 24);
    if (event.type() == event_command) {
      if (type == cmd_enable_slot) slot = event.slot();
      ++seen_;
      return event.status >> 24;
    }
  }
  return 0;
}

u32 hand_driver::unseen_events() const {
  u32 count = 0;
  while (events_.as<trb>()[seen_ + count].cycle()) ++count;
  return count;
}

u32 hand_driver::enable_slot() {
  const u32 outcome = command(cmd_enable_slot);
  for (byte& each : output.bytes()) each = byte{0};
  contexts_.as<u64>()[slot] = output.address().value();
  return outcome;
}

void hand_driver::point_to_ring(u32 dci) {
  input_word(dci + 1, 2) = static_cast<u32>(place(dci, 0)) | 1;
  input_word(dci + 1, 3) = static_cast<u32>(place(dci, 0) >> 32);
}

void hand_driver::fill_address_input() {
  input_word(0, 0) = 0;
  input_word(0, 1) = 3;
  input_word(1, 0) = static_cast<u32>(bus_speed::super) << 20 | 1u << 27;
  input_word(1, 1) = 1u << 16;
  input_word(2, 1) = three_tries | control_type << 3 | 512u << 16;
  input_word(2, 4) = 8;
  point_to_ring(1);
}

void hand_driver::fill_endpoint_input() {
  input_word(0, 1) = 1 | 1u << bulk_in_dci | 1u << bulk_out_dci;
  input_word(1, 0) = static_cast<u32>(bus_speed::super) << 20 | bulk_out_dci << 27;
  for (u32 dci : {bulk_in_dci, bulk_out_dci}) {
    const u32 type = dci == bulk_in_dci ? bulk_in : bulk_out;
    input_word(dci + 1, 1) = three_tries | type << 3 | bulk_packet << 16;
    input_word(dci + 1, 4) = 3072;
    point_to_ring(dci);
  }
}

void hand_driver::plug() {
  controller_.plug(1, device);
  sleep_for(200_ms);
  enable_slot();
  fill_address_input();
}

void hand_driver::address() {
  plug();
  address_device();
}

void hand_driver::configure() {
  address();
  fill_endpoint_input();
  configure_endpoints();
}

void hand_driver::leave_in_at_work() {
  configure();
  device.answer = handshake::nak;
  put(bulk_in_dci, 0, data_trb(512));
  work(bulk_in_dci);
}

void hand_driver::work(u32 dci) {
  doorbell(slot, dci);
  sleep_for(10_ms);
}

std::string hand_driver::complaints() const {
  std::string text;
  for (const std::string& each : controller_.violations()) text += each + "\n";
  return text;
}

void on_controller(const std::function<void(hand_driver&)>& body, u32 scratchpads) {
  world world({.seed = 1});
  world.run([&] {
    hand_driver driver(scratchpads);
    body(driver);
    sleep_for(1_s);  // the hardware becomes idle before it is destroyed
  });
}

void expect_complaint(const std::string& complaint, const std::function<void(hand_driver&)>& body,
                      u32 scratchpads) {
  on_controller(
      [&](hand_driver& d) {
        body(d);
        EXPECT_EQ(d.complaints(), complaint + "\n");
      },
      scratchpads);
}

void expect_complaint_first(const std::string& complaint,
                            const std::function<void(hand_driver&)>& body) {
  on_controller([&](hand_driver& d) {
    body(d);
    EXPECT_TRUE(d.complaints().starts_with(complaint + "\n")) << d.complaints();
  });
}

}  // namespace sim::hc
