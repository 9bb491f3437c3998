// A model of an xHCI host controller, register by register (xHCI 1.2).
//
// It does what the specification says; QEMU 7.2's deviations are a setting. It is strict: when the
// driver breaks a rule that hardware relies on (cycle bits, TDs, contexts, doorbells, memory that
// the driver does not own), that is noted in violations(), and the driver gets the error that
// hardware gives.
//
// - registers.cc: the window. ports.cc: the root hub. commands.cc: the command ring.
//   descriptors.cc: TDs. transfers.cc: the endpoints. events.cc: the event ring and the interrupt.
// - Everything that takes time is an action on the timeline. A register write acts at once.
// - on_step is called at every point where a pull makes a difference; the device behind a port may
//   be gone when it returns.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/medium.h"
#include "tests/sim/mmio.h"
#include "tests/sim/xhci/dma.h"
#include "tests/sim/xhci/registers.h"
#include "tests/sim/xhci/timeline.h"
#include "tests/sim/xhci/usb_function.h"

namespace sim::hc {

// How a transfer in flight at a pull ends.
enum class in_flight_end : u8 { transaction_error, silence };

struct controller_settings {
  bool large_contexts = false;  // 64 bytes each
  bool like_qemu = false;
  in_flight_end at_pull = in_flight_end::transaction_error;
  bool firmware_owns_it = false;
  bool interrupt_line = true;  // false: cut
  u32 slots = 8;
  u32 super_speed_id = 4;  // what PORTSC tells of a device in a port of USB 3 (7.2.2.1.1)
  u32 page_sizes = 1;      // PAGESIZE: bit n stands for 4096 << n bytes
  u32 usb2_slot_type = 0;  // of the ports of USB 2 (7.2.2.1.4)
  bool ports_off = false;  // after a reset no port has power
  duration halt_time = 15_ms, reset_time = 20_ms;  // at most
  u32 scratchpads = 2;
  u32 reserved_bits = 0xA5A5'A5A5;  // what they hold in registers where they must be preserved
  u8 irq = 11;
};

class controller final : public mmio_model {
 public:
  // Ports 1 and 2 are USB 3, ports 3 and 4 USB 2.
  static constexpr u32 ports = 4, super_ports = 2;

  controller(const controller_settings& chosen, timeline& time);

  u32 read32(u32 offset) override;
  void write32(u32 offset, u32 value) override;

  void plug(u32 port, usb_function& device);
  void unplug(u32 port);

  std::function<void(step_kind)> on_step;
  // Called before the event that tells of a pull; never sleeps.
  std::function<void()> before_pull_event;
  // The rules that the driver has broken.
  const std::vector<std::string>& violations() const { return violations_; }
  u32 slots_in_use() const;
  bool any_port_resetting() const;
  bool occupied(u32 number) const { return ports_[number].device != nullptr; }

  // A kernel with interrupts drives it: then rings and doorbells belong to one step, in which no
  // interrupt may come.
  bool by_a_kernel = false;

  // How the link of a USB 3 port ends at a plug (4.19.1.2). In the two last cases no device is
  // shown (CCS = 0) and no event comes; only a warm reset leads to another state.
  enum class training : u8 { good, compliance, cold_attach };
  // When a device breaks its controller down.
  enum class moment : u8 { reset_of_its_port, enabling_a_slot, any_transfer };

  // --- trouble ---
  // How the link of this port ends at its plugs, until a warm reset.
  void train_as(u32 number, training how) { ports_[number].trains = how; }
  // A hub stands in this port, and what is plugged in is behind it, on this way (USB 3.2, 8.9).
  void put_behind_hubs(u32 number, u32 route_string) { ports_[number].route_string = route_string; }
  // The link fails: the port goes to Inactive, which only a warm reset leads out of.
  void lose_link(u32 number);
  // The next resets of the port fail: it is not enabled afterwards.
  void fail_resets(u32 number, u32 count) { ports_[number].failing_resets = count; }
  u32 resets_left_to_fail(u32 number) const { return ports_[number].failing_resets; }
  // The device draws too much, and the port is switched off; then the trouble is over (4.19.4).
  void over_current(u32 number);
  void end_over_current(u32 number);
  bool has_power(u32 number) const { return ports_[number].status & port_power; }
  // From the next plug on, contact comes and goes for so long.
  duration bouncing{};
  // Babble on a USB 2 port: it is disabled.
  void disable_port(u32 number);
  // Change bits that tell nothing about the connection.
  void tell_changes(u32 number, u32 changes) { set_changes(number, changes); }

  // A fault that comes once: `left` counts down to it.
  struct planned_fault {
    u32 left = 0;  // 0: none is planned
    u32 code = 0;  // 0: no answer at all
    u32 port = 0;  // of transfers: only those of the device at this port; 0: all
    u32 in_a_row = 1;
    bool strikes() {
      if (left == 0 || --left > 0) return false;
      if (--in_a_row > 0) left = 1;
      return true;
    }
  };
  // The n-th command is not executed and ends with this code.
  planned_fault fail_command;
  // The n-th transfer ends with this code before its first packet.
  planned_fault fail_transfer;
  // A transfer that fails with Data Buffer Error does not halt its endpoint: the next one is
  // executed.
  bool goes_on_after_data_errors = false;
  // Noise on the cable: one of so many packets is lost, either on its way to the device or as the
  // answer to it; 0: none. The controller tries three times (CErr).
  u32 noise = 0;
  u32 packets_lost = 0;
  u32 commands_begun = 0, transfers_begun = 0;
  // What reading these registers gives, by their offset in the window.
  std::map<u32, u32> says;
  // It has left the bus: every register reads as ones.
  bool off_the_bus = false;
  // It does not halt, but it can be reset.
  bool never_halts = false;
  // Writes an event into the event ring, as a controller with an error of its own might.
  void post_event(const trb& event) { post(event); }
  // The next command of this type gets no answer until it is aborted.
  std::optional<u32> hang_command;
  // That command is slow: at the abort it is executed and ends with its own event.
  bool hanging_command_is_slow = false;
  // The next command of this type is executed, but its event is lost.
  std::optional<u32> lose_event_of;
  // The abort of the command ring ends in the moment in which the driver looks whether it has.
  bool stops_at_a_look = false;
  // The endpoint states in the contexts are shown so much later (4.8.3).
  duration late_states{};
  // A doorbell starts an endpoint that was stopped only after so long; until then it counts as
  // stopped.
  duration late_starts{};
  // The device in this port breaks the controller down: each time that its port has been reset, at
  // the command Enable Slot after that, or with its transfers.
  u32 deadly_port = 0;
  moment deadly_moment = moment::any_transfer;
  // What some firmware does: it leaves the controller running, with its interrupt line raised.
  void leave_running();
  // No command is fetched until the ring is aborted.
  bool ignore_commands = false;
  // An aborted command ring does not stop until the controller is reset.
  bool ring_never_stops = false;
  // The controller fails: HCE is set, and it halts.
  void break_down();
  // It goes on running whatever is written to USBCMD: it neither halts nor resets.
  bool never_resets = false;
  // Bus mastering is switched off (PCI 3.0, 6.2.2): from now on it reaches no memory, until it is
  // switched on again.
  void cut_off() { dma_.cut_off(); }
  void restore() {
    if (!(status_ & sts_halted)) complain("it reaches memory again while it runs");
    dma_.restore();
  }
  bool is_cut_off() const { return dma_.is_cut_off(); }

 private:
  // A position on a ring. The cycle bit tells whether the TRB there is the driver's or the
  // controller's.
  struct ring_position {
    bus_place at;
    bool cycle = true;
  };
  struct fetched_trb {
    trb t;
    u64 address = 0;
    bus_place data;
  };
  struct endpoint {
    u32 state = ep_disabled;
    u32 type = 0, max_packet = 0, burst = 0;  // in bytes
    ring_position dequeue;
    bool scheduled = false;
    bool waiting = false;  // the device has answered nak
    bool toggle = false;
    bool at_failed_td = false;  // reset after a halt, and its dequeue pointer is not yet set
    bool losing_contact = false;
    bool silent = false;  // no packet moves until the transfer is taken back
    instant starts_at{};  // until then it counts as stopped
    u32 errors = 0;       // in a row, of the packet under way
    // What the device has answered, when that was lost.
    std::optional<packet> lost_answer;
    // The TRBs of the transfer descriptor under way; empty when there is none.
    std::vector<fetched_trb> td;
    size_t index = 0;      // the TRB of it that is under way
    u32 offset = 0;        // the bytes of that TRB that are done
    bool fetched = false;  // that TRB has been fetched
    ring_position behind;  // the place behind the TD
    u64 setup_address = 0;
    // The request under way.
    u32 control_length = 0;
    bool control_in = false;
  };
  struct slot {
    bool enabled = false;
    u32 state = slot_enabled;
    u32 root_port = 0;
    u32 connection = 0;  // the port's count when the device was addressed
    u32 type = 0;
    instant addressed;
    bus_place context;
    std::array<endpoint, 32> endpoints;
  };
  struct port {
    u32 status = port_power;
    usb_function* device = nullptr;
    u32 connection = 0;           // counts plugs and pulls
    bool pull_unnoticed = false;  // the device is gone, but PORTSC does not show it yet
    training trains = training::good;
    u32 failing_resets = 0;
    u32 route_string = 0;  // of its device, behind hubs
    // Since when: the contacts do not bounce any more (while the controller ran), the reset is
    // over, the port has power.
    std::optional<instant> contact, reset_ended, powered;
  };

  void complain(const std::string& text);
  void step(step_kind kind) {
    if (on_step) on_step(kind);
  }

  // registers.cc
  u32 read_operational(u32 offset);
  u32 read_runtime(u32 offset) const;
  u32 reserved(u32 bits) const { return chosen_.reserved_bits & bits; }
  u32 read_extended(u32 offset);
  void write(u32 offset, u32 value);
  void write_operational(u32 offset, u32 value);
  void write_runtime(u32 offset, u32 value);
  void check_preserved(const char* which, u32 value, u32 bits);
  void write_command_register(u32 value);
  void write_command_ring(u32 offset, u32 value);
  void start();
  void halt_soon();
  void reset();
  void end_reset();

  // ports.cc
  void write_port(u32 number, u32 value);
  void reset_port(u32 number, bool warm);
  void finish_reset(u32 number, bool warm, u32 connection);
  void show_connection(u32 number);
  void hide_connection(u32 number);
  void bounce(u32 number, u32 connection, instant until);
  void fail_reset(u32 number, bool warm);
  void switch_on(u32 number);
  void notice_pull(u32 number);
  void set_changes(u32 number, u32 changes);
  bool is_super(u32 number) const { return number <= super_ports; }
  bus_speed speed_in(u32 number) const;
  u32 speed_id(u32 number) const;
  void check_patience(u32 number);
  usb_function* reachable(const slot& s) const;
  void wake_endpoints(u32 port);

  // commands.cc
  bool kills_at(moment when, u32 number) const {
    return deadly_port != 0 && deadly_port == number && deadly_moment == when;
  }
  void kick_commands();
  void run_commands();
  void abort_commands();
  void end_hanging_command();
  void stop_commands();
  u32 execute(const trb& t, u32& slot_id);
  u32 enable_slot(const trb& t, u32& slot_id);
  u32 disable_slot(u32 id);
  u32 address_device(u32 id, u64 input);
  u32 configure_endpoints(u32 id, const trb& t);
  u32 evaluate_context(u32 id, u64 input);
  u32 reset_endpoint(u32 id, u32 dci, bool preserve);
  u32 stop_endpoint(u32 id, u32 dci);
  u32 set_dequeue(u32 id, u32 dci, u64 pointer);
  u32 reset_device(u32 id);
  u32 load_endpoint(slot& s, u32 dci, bus_place input);
  bus_place input_context(u64 at, u32 count, u32 parts);
  bool is_zero(bus_place context) const;
  void check_slot_context(bus_place input);
  void check_endpoint_context(bus_place input, u32 dci);
  void tell_stopped(u32 id, u32 dci);
  static constexpr u32 input_contexts = 33;
  u32 word_at(u64 address, u32 offset) const {
    return dma_.read<u32>(dma_.learn(address, 8, "an input context"), offset, "a context");
  }
  u32 stride() const { return chosen_.large_contexts ? 64 : 32; }
  u32 word(bus_place contexts, u32 index, u32 at) const {
    return dma_.read<u32>(contexts, index * stride() + at * 4, "a context");
  }
  void put_word(bus_place contexts, u32 index, u32 at, u32 value) const {
    dma_.write(contexts, index * stride() + at * 4, value, "a context");
  }
  void show_slot(const slot& s) const;
  void show_endpoint(const slot& s, u32 dci) const;
  void show_state(const slot& s, u32 dci) const;
  bool busy(const endpoint& e) const;

  // descriptors.cc
  bool begin_td(slot& s, u32 dci);
  void check_td(const slot& s, u32 dci);
  void check_reserved(const trb& t);
  std::optional<fetched_trb> fetch(ring_position& at, bool inside_td);
  bool fetch_current(u32 id, u32 dci);

  // transfers.cc
  void ring_doorbell(u32 id, u32 value);
  void kick(u32 id, u32 dci, duration least = {}, duration most = 25_us);
  void serve(u32 id, u32 dci);
  void transact(u32 id, u32 dci);
  void check_stage(const endpoint& e, const trb& t);
  void transact_setup(u32 id, u32 dci);
  void transact_out(u32 id, u32 dci, usb_function& device);
  void transact_in(u32 id, u32 dci, usb_function& device);
  bool loses_packet(u32 id, u32 dci);
  void consume(u32 id, u32 dci, u32 bytes);
  void end_short(u32 id, u32 dci);
  void end_td(u32 id, u32 dci);
  void halt(u32 id, u32 dci, u32 why, u32 state = ep_halted);
  void lose_contact(u32 id, u32 dci);
  void tell(u32 id, u32 dci, u32 why, u32 residual, u64 address);
  u32 left_of(const endpoint& e) const;

  // events.cc
  void start_event_ring();
  void post(trb event);
  void interrupt();
  void raise();
  void drive_line();
  void check_dequeue();
  bool has_unread_events() const;

  controller_settings chosen_;
  timeline& time_;
  dma_port dma_;
  std::vector<std::string> violations_;

  u32 command_register_ = 0, status_ = sts_halted, config_ = 0;
  u32 runs_ = 0;  // counts starts, halts and resets: an action of an earlier one is ignored
  instant untouchable_until_{};
  u64 dcbaap_ = 0, crcr_ = 0;
  u32 legacy_;
  bool commands_running_ = false, commands_scheduled_ = false, command_hangs_ = false;
  bool commands_stopping_ = false;
  u64 hanging_address_ = 0;
  trb hanging_;
  ring_position commands_;

  static constexpr u32 imod_after_reset = 4000;
  bool silent_ = false;  // it broke down with events that are not read, and sends no interrupt
  u32 iman_ = 0, imod_ = imod_after_reset, erstsz_ = 0;
  bool interrupt_planned_ = false, line_raised_ = false;
  u64 interrupts_ = 0;
  instant next_interrupt_{};
  u64 erstba_ = 0, erdp_ = 0;
  bus_place event_ring_;
  u32 event_ring_size_ = 0, event_enqueue_ = 0, event_dequeue_ = 0;
  bool event_cycle_ = true, event_ring_full_ = false;

  std::array<slot, 33> slots_;
  std::array<port, ports + 1> ports_;
  u8 next_address_ = 1;
};

}  // namespace sim::hc
