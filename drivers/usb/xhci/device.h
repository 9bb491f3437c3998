// device: a plugged-in device, as the controller sees it: a slot with its contexts, and the
// transfer queues of its endpoints (xHCI 1.2, 4.3 to 4.6).
//
// The task of its port's attendant runs live(): it claims and resets the port, gets a slot and an
// address, passes the device to the core, and takes it down. The interrupt handler and the
// controller's task call only mark_gone and on_transfer_event.
//
// It is taken down in this order (4.6.4):
// 1. The device is marked as gone, so nothing new is queued.
// 2. Every endpoint with transfers is stopped, and the events until then are handled.
// 3. The slot is disabled. From here on the controller does not use the rings, contexts and data.
// 4. The transfers that are left end with enodev. QEMU sends no event for a transfer that is in
//    flight at a pull, and hardware does not always.
#pragma once

#include <array>
#include <optional>

#include "drivers/usb/core.h"
#include "drivers/usb/xhci/context.h"
#include "drivers/usb/xhci/controller.h"
#include "drivers/usb/xhci/transfer_queue.h"
#include "hal/panic.h"

namespace xhci {

// A class driver uses one bulk endpoint of each direction.
constexpr u32 max_bulk_endpoints = 2;
// The size of a bulk endpoint's ring: it has room for all that may be submitted at once (slot.cc).
constexpr u32 bulk_segments = 3;

// The memory that a device needs, reserved for its port (attendant.h). Its content is what the
// device before has left there.
struct device_memory {
  context_table input, output;
  dma_buffer bounce;  // the data stage of control transfers
  std::array<dma_buffer, 1> control_ring;
  std::array<std::array<dma_buffer, bulk_segments>, max_bulk_endpoints> bulk_rings;
  usb::driver_memory driver;

  // Errors: enomem.
  result<void> allocate(u32 context_stride);
};

// Whether the controller has given back memory of a device. An answer that is not judged does not
// compile; one that is cast to void panics.
class [[nodiscard]] ownership {
 public:
  explicit ownership(bool given_back) : given_back_(given_back) {}
  ownership(const ownership&) = delete;
  ownership& operator=(const ownership&) = delete;
  ~ownership() { kassert(judged_); }
  bool given_back() {
    judged_ = true;
    return given_back_;
  }

 private:
  bool given_back_;
  bool judged_ = false;
};

class device final : public usb::host_device {
 public:
  // The device that is plugged into `port`, a root port or one of a hub. `record`: what the
  // controller keeps of the port. `hot`: it was plugged in just now.
  device(controller& host, usb::downstream_port& port, port_record& record, bool hot,
         device_memory& reserved)
      : host_device(reserved.driver),
        host_(host),
        port_(port),
        record_(record),
        hot_(hot),
        memory_(reserved) {}
  ~device() override;  // not before live() has returned

  // Serves the device, from the reset of its port to the end of its last user. Sleeps.
  void live();

  // Never sleep.
  void mark_gone();
  bool comes_up() const { return !facts.driver; }
  bool has_transfers() const;
  void on_transfer_event(u32 dci, u64 trb_address, completion code, u32 residual);

  // usb::device
  result<u32> control(const usb::setup_packet& setup, std::span<byte> data,
                      duration timeout = 5_s) override;
  result<void> submit(usb::transfer& t) override;
  result<void> wait(usb::transfer& t, instant deadline) override;
  void settle(usb::transfer& t) override;
  void cancel(u8 endpoint_address) override;
  result<void> clear_halt(u8 endpoint_address) override;
  result<void> reset() override;
  void release() override;
  bool gone() const override { return gone_; }

  // usb::host_device
  result<void> set_control_packet_size(u16 bytes) override;
  result<void> configure(u8 configuration, std::span<const usb::endpoint> endpoints) override;

 private:
  // slot.cc: from nothing to an address, and back
  result<void> bring_up();
  result<void> address_once(usb::speed at);
  result<command_outcome> take_slot();
  result<void> enable_slot();
  result<void> address_device();
  ownership give_slot_back();
  void disable_slot();
  void fill_input_for_address();
  void fill_endpoint(u32 index);
  result<void> configure_endpoints();
  result<void> select_configuration();
  void begin_input(u32 add_flags, u32 drop_flags);
  bool has_endpoint_like(const usb::endpoint& e) const;
  void copy_slot_context(u32 entries);

  // device.cc: life
  void end_visit(bool was_gone);
  // device.cc: transfers
  transfer_queue* queue(u32 dci);  // null: no such endpoint
  u32 open_queues() const { return endpoint_count_ + 1; }
  u32 dci_at(u32 index) const {
    return index ? dci_of(endpoints_[index - 1].address) : control_dci;
  }
  void or_stop_controller(ownership answer, const char* why);
  root_port& root() const { return host_.port(port_.route().root_port); }
  bool is_at_rest(u32 dci);
  ownership stop_endpoint(u32 dci);
  void stop(u32 dci);
  void take_back(u32 dci);
  result<bool> reset_endpoint(u32 dci);
  result<void> set_dequeue(u32 dci);
  result<void> restart(u32 dci);
  result<void> reset_host_side(u32 dci);
  u32 endpoint_state(u32 dci) const { return endpoint_context::state::get(output_.at(dci)[0]); }

  controller& host_;
  usb::downstream_port& port_;
  port_record& record_;
  bool hot_;
  bool gone_ = false;
  bool released_ = false;
  bool lives_ = false;              // live() has begun and not returned
  std::optional<instant> claimed_;  // the port, at this time
  u32 slot_ = 0;
  u16 control_packet_ = 0;

  device_memory& memory_;
  const context_table &input_ = memory_.input, &output_ = memory_.output;
  const dma_buffer& bounce_ = memory_.bounce;
  u8 configuration_ = 0;
  std::array<usb::endpoint, max_bulk_endpoints> endpoints_{};
  u32 endpoint_count_ = 0;
  // EP0's, then one for each of endpoints_.
  std::array<transfer_queue, max_bulk_endpoints + 1> queues_{};
};

}  // namespace xhci
