#include "drivers/usb/xhci/controller.h"

#include <utility>

#include "hal/log.h"
#include "lib/guard.h"

namespace xhci {

namespace {
constexpr u32 max_failures = 5;
}

void controller::run() {
  for (;;) {
    const instant begun = now();
    death_is_explained_ = false;
    if (const result<void> started = start(); started) {
      serve();
    } else {
      if (failures_ < max_failures)
        printk("xhci%u: does not start (error %d)\n", number_, to_errno(started.error()));
      mark_dead();
    }
    if (now() - begun > long_health) failures_ = 0;
    stop_after_death();
    if (!death_is_explained_ && ++failures_ == max_failures)
      printk("xhci%u: it fails again and again; it is tried after pauses\n", number_);
    pause();
  }
}

// What fails again and again gets a long pause. It ends when a device is plugged in or pulled,
// because that may help, and when the controller comes back to the bus. Where the ports do not show
// that, the pause is shorter.
void controller::pause() const {
  if (death_is_explained_ || failures_ < max_failures) return sleep_for(100_ms);
  constexpr duration longest = 60_s, longest_unseen = 10_s;
  const instant begun = now();
  sleep_for(2_s);  // after its reset a port shows its device late
  const std::optional<u64> shown = connections();
  const instant end = begun + (shown ? longest : longest_unseen);
  while (now() < end && connections() == shown) sleep_for(poll_interval);
}

// What the ports show while the controller is halted: a bit for each device; all ones when the
// controller has left the bus. Nothing when it is not ready, its reset has not ended, or its ports
// have no power.
std::optional<u64> controller::connections() const {
  if (operational_.size() == 0) return {};
  if (has_left_the_bus()) return ~u64{0};
  if (cut_off_) return {};  // the registers of its ports are under reset
  if (usbsts::not_ready::in(operational_.read32(operational::usbsts))) return {};
  bool any_power = false;
  u64 shown = 0;
  for (u32 n = 1; n <= port_count_; ++n) {
    const port_status at{operational_.read32(operational::portsc(n))};
    any_power |= at.powered();
    if (at.connected()) shown |= u64{1} << (n - 1);
  }
  return any_power ? std::optional(shown) : std::nullopt;
}

void controller::serve() {
  while (!dead_) {
    check_health();
    ports_changed_ = false;
    scan_ports();
    at_start_ = false;
    wait_until(
        attention_, [this] { return dead_ || ports_changed_; }, now() + poll_interval);
  }
}

// Stops the dead controller. Only then do the devices give their memory back; returns when all
// have.
void controller::stop_after_death() {
  let_go_of_memory();
  stopped_ = true;
  wake_up(stopping_);
  while (any_port_occupied()) sleep_on(attention_, now() + poll_interval);
  forget_devices();
}

// Makes the controller stop reading and writing memory: by a reset or, if that fails, by cutting it
// off from the bus. Also one whose registers do not answer: it may answer again and have been at
// work all the time.
void controller::let_go_of_memory() {
  if (operational_.size() == 0) return;  // its registers were never found: it was not started
  if (halt_and_reset() || cut_off_) return;
  printk("xhci%u: it cannot be reset and is cut off from memory\n", number_);
  cut_off_ = true;
  bus_.cut_off(bus_.argument);
}

void controller::wait_stopped() {
  while (!stopped_) sleep_on(stopping_, now() + poll_interval);
}

bool controller::any_port_occupied() const {
  for (const root_port& port : ports_)
    if (port.occupant) return true;
  return false;
}

void controller::check_health() {
  const u32 status = operational_.read32(operational::usbsts);
  if (status == all_ones) return die("the controller has left the bus");
  if (usbsts::host_controller_error::in(status))
    return die("host controller error", port_at_work());
  if (usbsts::host_system_error::in(status)) return die("host system error", port_at_work());
  if (usbsts::halted::in(status)) return die("the controller has halted", port_at_work());
}

// --- ports ---

void controller::scan_ports() {
  for (u32 n = 1; n <= port_count_ && !dead_; ++n)
    if (ports_[n].supported()) look_at_port(ports_[n]);
}

void controller::slot_vacated() {
  for (root_port& port : ports_)
    if (port.wants_slot) port.given_up = false;
  look_at_ports();
}

// A slot that no device has is free or lost. It is looked at and disabled in one step: what another
// task's Enable Slot returns has a device before that task sleeps.
//
// Meanwhile a slot may become free that was not lost, or a further one may be lost.
bool controller::find_lost_slots() {
  if (!std::exchange(slot_is_lost_, false)) return false;
  bool found = false;
  for (u32 slot = 1; slot <= slots_; ++slot) {
    wait_for_commands();
    if (devices_[slot]) continue;
    const auto disabled = command(slot_command(trb_type::disable_slot, slot));
    slot_is_lost_ |= !disabled;  // once more the next time
    if (!disabled) break;
    found |= disabled->code == completion::success;
  }
  if (found) slot_vacated();
  return true;
}

// --- events ---

// A controller that does not run may have raised the line, too: one that the firmware has left
// running, or one that has died. It is silenced then, because a line that no handler claims is
// masked for ever. But one that stays raised in spite of that is not claimed: its handlers would be
// called without end, and no task would run any more.
bool controller::interrupt() {
  if (operational_.size() == 0 || in_reset_) return false;
  const u32 status = operational_.read32(operational::usbsts);
  if (status == all_ones) return false;
  const u32 iman = runtime_.read32(runtime::iman);
  if (!usbsts::event_interrupt::in(status) && !runtime::interrupt_pending::in(iman)) return false;
  operational_.write32(operational::usbsts, usbsts::event_interrupt::mask);
  runtime_.write32(runtime::iman, (iman & runtime::iman_reserved) |
                                      (running_ ? runtime::interrupt_enable::mask : 0) |
                                      runtime::interrupt_pending::mask);
  const bool silenced = !runtime::interrupt_pending::in(runtime_.read32(runtime::iman));
  // Also without any event: no further interrupt comes until "event handler busy" is cleared.
  if (running_ && !handle_events()) acknowledge_events();
  return silenced;
}

// Takes every event off the ring, also unknown ones: an event left at the head would block the
// others. Returns whether there was any.
bool controller::handle_events() {
  const irq_guard guard;
  if (!running_) return false;
  bool any = false;
  for (; const std::optional<trb> event = events_.pop(); any = true) handle(*event);
  if (any) acknowledge_events();
  return any;
}

void controller::acknowledge_events() {
  runtime_.write64(runtime::erdp, events_.dequeue_address().value() | runtime::event_handler_busy);
}

void controller::handle(const trb& event) {
  switch (type_of(event)) {
    case trb_type::transfer_event: return on_transfer_event(event);
    case trb_type::command_completion_event: return on_command_completion(event);
    case trb_type::port_status_event: return on_port_event(event);
    case trb_type::host_controller_event:
      // Event ring full: events were lost, so the ports must be looked at.
      return look_at_ports();
    default: return;
  }
}

// --- commands ---

void controller::on_command_completion(const trb& event) {
  const completion code = code_of(event);
  // Its address may be that of the command, if the ring has stopped before it.
  if (code == completion::command_ring_stopped) return wake_up(command_done_);
  const std::optional<u32> position = commands_.position_of(event.parameter);
  if (!command_.busy || command_.done || position != command_.position) return;
  command_.outcome = {code, static_cast<u8>(trb_control::slot::get(event.control))};
  command_.done = true;
  wake_up(command_done_);
}

void controller::wait_for_commands() {
  while (command_.busy && !dead_) sleep_on(command_free_, now() + poll_interval);
}

result<command_outcome> controller::command(const trb& t) {
  wait_for_commands();
  if (dead_) return fail(error::enodev);
  command_.busy = true;
  const at_scope_end let_others([this] {
    command_.busy = false;
    wake_up(command_free_);
  });
  {
    const irq_guard guard;
    command_.done = false;
    command_.position = commands_.push(t);
    commands_.publish();
    commands_.retire(1);  // there is never another command on the ring
    ring_doorbell(0, 0);
  }
  const auto over = [this] { return command_.done || dead_; };
  if (!wait_until(command_done_, over, now() + 5_s) && !abort_command())
    die("a command cannot be aborted", port_of_command(t));
  if (dead_) return fail(error::enodev);
  if (!command_.done || command_.outcome.code == completion::command_aborted)
    return fail(error::etimedout);
  return command_.outcome;
}

// 4.6.1.2. A valid pointer is written as well, because a ring that does not run takes it over. The
// command may still end with its own event. But as long as the ring has not stopped, the doorbell
// of the next command would be lost.
bool controller::abort_command() {
  printk("xhci%u: a command timed out\n", number_);
  const u64 next = commands_.pointer_to(commands_.next(command_.position));
  operational_.write64(operational::crcr, next | crcr::command_abort);
  const auto stopped = [this] { return dead_ || !command_ring_runs(); };
  if (!wait_until(command_done_, stopped, now() + 5_s)) return false;
  handle_events();  // events that came after the last look and before the stop
  commands_.neutralise(command_.position, trb_type::no_op_command);
  return true;
}

// CRR is 0 from the event Command Ring Stopped on (5.4.5). In QEMU it is always 0, and the ring
// stops at once.
bool controller::command_ring_runs() const {
  return crcr::running::in(operational_.read32(operational::crcr));
}

result<command_outcome> controller::command_ok(const trb& t) {
  const command_outcome outcome = TRY(command(t));
  if (outcome.code != completion::success) return fail(error::eio);
  return outcome;
}

void controller::bind_slot(u32 slot, device* d, phys_addr context) {
  const irq_guard guard;
  devices_[slot] = d;
  contexts_.as<u64>()[slot] = context.value();
  dma_write_barrier();
}

}  // namespace xhci
