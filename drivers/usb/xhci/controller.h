// controller: one xHCI host controller (xHCI 1.2, chapter 4), from reset to its end.
//
// Tasks:
// - the controller's own task (run) starts the controller, watches its state and its ports, and
//   calls a port's attendant for every device that appears;
// - the task of an attendant (attendant.h), one for each port, brings the device up, serves it and
//   takes it down again. No other task gives commands for the device's slot.
//
// All memory and all tasks that the controller and the devices behind its ports will ever need are
// taken at boot (reserve).
//
// Two things empty the event ring: the interrupt handler, which only marks and wakes, and every
// task that waits, because wait_until looks at the ring every poll_interval. So a machine whose
// interrupt line does not work goes on, a little slower.
//
// A controller is dead when it reports an error, stops answering or has left the bus. Then every
// wait ends with enodev, the devices are gone, and the controller is reset and started again. One
// that fails again and again is tried again after pauses; it is never given up. A controller that
// cannot be reset is cut off from memory until a later reset succeeds.
//
// One bad device must not cost the others their controller. So after a death each device waits for
// the others that are at work, up to a limit (must_wait). The controller's next death is blamed on
// the device that it was busy with, if that is one and not several. If there were several, each of
// them in turn is the suspect, which comes up before the others, and the limit grows. When the
// controller has died of a device several times, the device is left alone (port_history.h). When it
// goes on dying without the device, the device is tried again. A controller that has run for
// `long_health` has no reason to blame what happened before.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "drivers/usb/xhci/ports.h"
#include "drivers/usb/xhci/registers.h"
#include "drivers/usb/xhci/ring.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/mmio.h"
#include "hal/wait.h"

namespace xhci {

class attendant;
class device;

struct command_outcome {
  completion code = completion::invalid;
  u8 slot = 0;
};

// How a controller that cannot be stopped is kept from reading and writing memory, and how it may
// again after a reset. Neither sleeps.
struct bus_access {
  void (*cut_off)(const void* argument);
  void (*restore)(const void* argument);
  const void* argument;
};

class controller final : public port_host {
 public:
  static constexpr u32 max_ports = 64;
  static constexpr u32 max_slots = 64;
  static constexpr duration poll_interval = 50_ms;
  static constexpr duration long_health = 60_s;

  // `registers` is BAR 0; `number` names it on the console.
  controller(mmio_window registers, u8 number, bus_access bus)
      : registers_(registers), number_(number), bus_(bus) {}

  // Takes all memory and tasks that it will ever need and does not have yet. Called at boot, before
  // programs run; run() calls it, too, and prints the error. Never sleeps. Errors: enomem, eagain
  // (no task), enotsup; enodev and eio for a controller that is gone or describes itself wrongly.
  result<void> reserve();
  // Its task's body.
  [[noreturn]] void run();
  // Its interrupt handler. Returns whether it had raised the line.
  bool interrupt();

  // --- for its ports and devices ---
  u8 number() const { return number_; }
  bool dead() const override { return dead_; }
  void tell(u32 port, const char* trouble) const override;
  u32 context_stride() const { return context_stride_; }
  root_port& port(u32 number) { return ports_[number]; }
  u32 read_operational(u32 offset) const override { return operational_.read32(offset); }
  void write_operational(u32 offset, u32 value) const override {
    operational_.write32(offset, value);
  }

  // Gives a command and sleeps until its end; one command at a time. Errors: etimedout (the command
  // was aborted), enodev.
  result<command_outcome> command(const trb& t);
  // The same; any completion code but success is eio.
  result<command_outcome> command_ok(const trb& t);

  // Begins the work that stands on a ring of a slot. Called under an irq_guard, in which the ring
  // was filled.
  void ring_doorbell(u32 slot, u32 target) { doorbells_.write32(4 * slot, target); }
  // Sets the device context of a slot, and the device that gets its events; null and 0 for none.
  void bind_slot(u32 slot, device* d, phys_addr context);
  // The controller is dead from now on; every device on it is gone. Prints `why`. For errors after
  // which its state is unknown. The device in the port `blamed`, if that is not null, is the
  // reason. Never sleeps.
  void die(const char* why, root_port* blamed = nullptr);
  // The port of the one device that the controller is busy with, for `die`; null when there is no
  // such device or more than one. A device counts also when something was `asked` of it. Never
  // sleeps.
  root_port* port_at_work(const root_port* asked = nullptr);
  // Sleeps until the dead controller has been stopped: only then may its memory be used again.
  void wait_stopped();
  // What tells the speed of a device in a slot context (7.2.2.1.1): in a root port the ID that
  // PORTSC shows, because a controller may define some of its own. Never sleeps.
  u32 speed_id(const usb::route& way, usb::speed at) const {
    return way.string ? static_cast<u32>(at) : ports_[way.root_port].status().speed_id();
  }
  // The device that was in the port since `begun` is gone (port_history.h). Never sleeps.
  void end_visit(port_record& record, u32 port, instant begun, bool used);
  // An Enable Slot was aborted: it may have taken a slot whose number is not known. Never sleeps.
  void note_lost_slot() { slot_is_lost_ = true; }
  // No slot is free. Disables those that no device has, if any was lost. Sleeps. Returns whether
  // there may be a free one now.
  bool find_lost_slots();
  // A slot is free again: devices that have found none are looked at once more. Never sleeps.
  void slot_vacated();
  // Something about the ports has changed: its task looks at all of them. Never sleeps.
  void look_at_ports() {
    ports_changed_ = true;
    wake_up(attention_);
  }

  // Sleeps until `condition` holds. It is checked after each wake-up of `queue`, and every
  // poll_interval after the events have been handled. False at the deadline.
  template <class Condition>
  bool wait_until(wait_queue& queue, Condition condition, instant deadline) {
    for (;;) {
      const irq_guard guard;
      handle_events();
      if (condition()) return true;
      const instant time = now();
      if (time >= deadline) return false;
      sleep_on(queue, std::min(deadline, time + poll_interval));
    }
  }

 private:
  // start.cc: chapter 4.2, step by step
  result<void> start();
  result<void> read_capabilities();
  void walk_extended_capabilities();
  void take_from_firmware(u32 offset);
  void read_protocol(u32 offset);
  result<void> wait_register(u32 offset, u32 mask, u32 value, duration timeout);
  result<void> halt_and_reset();
  void restore_bus_access();
  result<void> reserve_memory();
  result<void> reserve_scratchpads();
  result<void> reserve_attendants();
  void clear_memory();
  void program_rings();
  result<void> begin();

  // controller.cc
  void serve();
  void mark_dead() {
    running_ = false;  // an interrupt only silences it from now on
    dead_ = true;
  }
  void stop_after_death();
  void let_go_of_memory();
  void pause() const;
  std::optional<u64> connections() const;
  bool any_port_occupied() const;
  void forget_devices();
  void forgive_ports();
  void check_health();
  root_port* port_of_command(const trb& t);
  void scan_ports();
  void look_at_port(root_port& port);
  bool may_serve(root_port& port);
  duration patience() const;
  bool must_wait(const root_port& port) const;
  void choose_suspect();
  void note_change(root_port& port);
  bool any_device_at_work() const;
  void note_loss(root_port& port, port_status status);
  void explain_death(root_port* blamed);
  bool has_left_the_bus() const { return operational_.read32(operational::usbsts) == all_ones; }
  bool is_at_a_pull();
  void blame(root_port& port);
  void acquit_ports();
  void tend_power(root_port& port, port_status status);
  bool handle_events();
  void acknowledge_events();
  void handle(const trb& event);
  void on_transfer_event(const trb& event);
  void on_command_completion(const trb& event);
  void on_port_event(const trb& event);
  void wait_for_commands();
  bool abort_command();
  bool command_ring_runs() const;

  mmio_window registers_, operational_, runtime_, doorbells_;
  u8 number_;
  bus_access bus_;
  u32 context_stride_ = 32;
  u32 slots_ = 0, port_count_ = 0, scratchpad_count_ = 0;
  bool has_port_power_ = false;

  dma_buffer contexts_;  // the DCBAA: physical addresses of device contexts by slot
  dma_buffer scratchpad_array_, scratchpads_;
  std::array<dma_buffer, 1> command_memory_;
  producer_ring commands_;
  event_ring events_;

  std::array<root_port, max_ports + 1> ports_{};        // from 1
  std::array<attendant*, max_ports + 1> attendants_{};  // of the ports
  std::array<device*, max_slots + 1> devices_{};        // by slot, from 1

  struct {
    bool busy = false;  // a command is under way
    bool done = false;
    u32 position = 0;
    command_outcome outcome;
  } command_;
  wait_queue command_free_, command_done_;

  bool running_ = false;  // the event ring may be read
  bool dead_ = false;
  bool has_died_ = false;            // at least once
  bool stopped_ = true;              // it neither reads nor writes memory
  bool slot_is_lost_ = false;        // since its last reset, an Enable Slot was aborted
  bool cut_off_ = false;             // from memory
  bool in_reset_ = false;            // its registers must not be touched
  bool death_is_explained_ = false;  // the last one, by a device or by a pull
  std::optional<instant> last_pull_;
  u32 failures_ = 0;              // deaths in a row without an explanation
  root_port* suspect_ = nullptr;  // its device comes up before the others
  bool ports_changed_ = false;
  instant started_{};
  bool at_start_ = true;  // the first scan of the ports: its devices were plugged in before
  wait_queue attention_, stopping_;
};

}  // namespace xhci
