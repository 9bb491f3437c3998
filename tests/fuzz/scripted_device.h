// A mass storage device whose every answer is taken from the input of a fuzzer. By itself it does
// what a good one does: a status wrapper is right, except where the input changes it.
#pragma once

#include "drivers/usb/core.h"
#include "drivers/usb/storage/bot.h"
#include "tests/fuzz/input.h"

namespace fuzz {

class scripted_device final : public usb::host_device {
 public:
  static constexpr u8 in_address = 0x81, out_address = 0x02;

  explicit scripted_device(input& in);
  static usb::interface_info interface();

  // --- usb::device ---
  bool gone() const override { return gone_; }
  result<u32> control(const usb::setup_packet& asked, std::span<byte> data, duration) override;
  result<void> set_control_packet_size(u16) override { return {}; }
  result<void> configure(u8, std::span<const usb::endpoint>) override { return {}; }
  result<void> submit(usb::transfer& t) override;
  result<void> wait(usb::transfer& t, instant deadline) override;
  void settle(usb::transfer& t) override;
  void cancel(u8 address) override;
  result<void> clear_halt(u8 address) override;
  result<void> reset() override;
  void release() override { gone_ = true; }

 private:
  struct endpoint_state {
    bool halted = false;
    usb::transfer* queue[4] = {};
    u32 queued = 0;
  };

  endpoint_state& state_of(u8 address) { return address == in_address ? in_ : out_; }
  void serve(endpoint_state& endpoint);
  void answer(usb::transfer& t, endpoint_state& endpoint);
  void end(usb::transfer& t, result<void> outcome, u32 actual);
  u32 move(usb::transfer& t);
  void fill_in(std::span<byte> to);
  void fill_status(std::span<byte> to);

  input& input_;
  usb::driver_memory memory_;
  usb::storage::command_block_wrapper cbw_;
  endpoint_state in_, out_;
  bool gone_ = false;
};

}  // namespace fuzz
