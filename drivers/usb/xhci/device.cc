#include "drivers/usb/xhci/device.h"

#include <algorithm>
#include <cstring>

#include "hal/log.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace xhci {

namespace {

constexpr u8 request_clear_feature = 1;

const usb::transfer* failed_before(const usb::transfer& t) {
  for (const usb::transfer* p = t.after; p; p = p->after)
    if (!p->outcome) return p;
  return nullptr;
}

}  // namespace

// --- life ---

device::~device() { kassert(!lives_); }

void device::live() {
  lives_ = true;
  facts.bus = host_.number();
  facts.port = port_.route().root_port;
  if (const result<void> up = bring_up()) {
    usb::attend(*this);
  } else if (!gone_ && !record_.wants_slot) {
    facts.unused = "it does not answer";
    printk("usb %u-%u: no contact with the device (error %d)\n", facts.bus, facts.port,
           to_errno(up.error()));
  }
  release();
  lives_ = false;
}

bool device::has_transfers() const {
  return std::ranges::any_of(queues_, [](const auto& q) { return !q.empty(); });
}

void device::mark_gone() {
  gone_ = true;
  wake_up(activity);
}

void device::release() {
  if (released_) return;
  released_ = true;
  const bool was_gone = gone_;
  gone_ = true;
  for (u32 i = 0; i < open_queues(); ++i)
    if (!queues_[i].empty()) stop(dci_at(i));
  disable_slot();
  for (transfer_queue& q : queues_) q.fail_all(error::enodev);
  end_visit(was_gone);
  port_.vacate();
  record_.given_up = !was_gone;
}

// It was no visit when the contacts have only bounced, when the controller had no slot, or when the
// controller has died. But when the controller has died at the pull, the visit has cost the other
// devices more than any other one: it counts, and as one that was of no use. The visit of a device
// that is not used goes on until the device is pulled.
void device::end_visit(bool was_gone) {
  if (host_.dead()) {
    if (const auto pulled = record_.pulled_at)
      host_.end_visit(record_, facts.port, claimed_.value_or(*pulled), false);
    return;
  }
  if (!claimed_ || record_.wants_slot) return;
  if (was_gone || facts.driver)
    host_.end_visit(record_, facts.port, *claimed_, facts.driver);
  else
    record_.visit = claimed_;
}

// --- events ---

transfer_queue* device::queue(u32 dci) {
  for (u32 i = 0; i < open_queues(); ++i)
    if (dci_at(i) == dci) return &queues_[i];
  return nullptr;
}

void device::on_transfer_event(u32 dci, u64 trb_address, completion code, u32 residual) {
  if (transfer_queue* q = queue(dci); q && q->on_event(trb_address, code, residual))
    wake_up(activity);
}

// --- transfers ---

result<void> device::submit(usb::transfer& t) {
  const irq_guard guard;
  const u32 dci = dci_of(t.endpoint_address);
  transfer_queue* q = queue(dci);
  kassert(q);
  t.done = false;
  t.outcome = {};
  if (gone_) return fail(error::enodev);
  if (!q->running() && q->empty()) return fail(error::epipe);
  TRY(q->add(t));
  host_.ring_doorbell(slot_, dci);  // a halted endpoint ignores it (4.8.3)
  return {};
}

result<void> device::wait(usb::transfer& t, instant deadline) {
  const auto over = [&] { return t.done || failed_before(t) || gone_; };
  if (!host_.wait_until(activity, over, deadline)) cancel(t.endpoint_address);
  if (gone_ && !t.done) release();  // ends every transfer
  if (t.done) return t.outcome;
  return failed_before(t)->outcome;
}

void device::settle(usb::transfer& t) {
  const irq_guard guard;
  if (transfer_queue* q = queue(dci_of(t.endpoint_address))) q->settle(t);
}

result<u32> device::control(const usb::setup_packet& setup, std::span<byte> data,
                            duration timeout) {
  may_sleep();
  kassert(setup.length <= data.size() && setup.length <= bounce_.bytes().size());
  const bool in = (setup.request_type & 0x80) != 0;
  if (!in && setup.length) std::memcpy(bounce_.bytes().data(), data.data(), setup.length);
  if (gone_) return fail(error::enodev);
  if (!queues_[0].running()) TRY(restart(control_dci));
  usb::transfer t;
  {
    const irq_guard guard;
    TRY(queues_[0].add_control(t, setup, bounce_.address()));
    host_.ring_doorbell(slot_, control_dci);
  }
  TRY(wait(t, now() + timeout));
  if (in) std::memcpy(data.data(), bounce_.bytes().data(), t.actual);
  return t.actual;
}

// --- stopping and recovering ---

// The decision about memory of the device that the controller has been asked for. As long as it has
// not given it back, it may read and write it at any moment: then the controller must be stopped.
void device::or_stop_controller(ownership answer, const char* why) {
  if (answer.given_back()) return;
  host_.die(why, host_.port_at_work(&root()));
  host_.wait_stopped();
}

// Whether an endpoint that was refused to be stopped is at rest: it has halted, as its context and
// an event tell, or it has nothing to do.
bool device::is_at_rest(u32 dci) {
  const transfer_queue& q = *queue(dci);
  return endpoint_state(dci) != endpoint_context::state_running && (q.halted() || q.empty());
}

// 4.6.9. Afterwards the controller moves no data for the endpoint, and the events of all transfers
// that it had completed have been handled.
//
// The command is refused when the endpoint was halted or stopped before. But the context shows a
// state late (4.8.3): one that has just halted may be shown as running, and one that a doorbell is
// starting as stopped, with transfers that it is going to execute. So the command is given again
// until both agree. After `patience` the context is right.
ownership device::stop_endpoint(u32 dci) {
  constexpr duration patience = 100_ms;
  for (const instant deadline = now() + patience;; sleep_for(1_ms)) {
    const result<command_outcome> stopped =
        host_.command(endpoint_command(trb_type::stop_endpoint, slot_, dci));
    if (!stopped) return ownership{false};
    if (stopped->code == completion::success || is_at_rest(dci)) return ownership{true};
    if (now() >= deadline) return ownership{endpoint_state(dci) != endpoint_context::state_running};
  }
}

void device::stop(u32 dci) {
  or_stop_controller(stop_endpoint(dci), "an endpoint cannot be stopped");
}

// Ends the endpoint's transfers: with their own outcome if they had completed before it stopped,
// otherwise with etimedout. It does not run afterwards.
void device::take_back(u32 dci) {
  stop(dci);
  queue(dci)->fail_all(error::etimedout);
}

// 4.6.8. Returns false when the endpoint had not halted: it was in the state Error, or had gone on
// in spite of the error until it was stopped. Then its data toggle stays as it is.
result<bool> device::reset_endpoint(u32 dci) {
  const command_outcome reset =
      TRY(host_.command(endpoint_command(trb_type::reset_endpoint, slot_, dci)));
  if (reset.code == completion::success) return true;
  if (reset.code != completion::context_state) return fail(error::eio);
  return false;
}

// 4.6.10. The next doorbell starts the endpoint with its oldest transfer.
result<void> device::set_dequeue(u32 dci) {
  transfer_queue& q = *queue(dci);
  const u64 pointer = q.resume_pointer();
  TRY(host_.command_ok(endpoint_command(trb_type::set_tr_dequeue, slot_, dci, pointer)));
  q.set_running();
  return {};
}

// The one way from an endpoint that does not run to one that does.
result<void> device::restart(u32 dci) {
  if (queue(dci)->halted()) TRY(reset_endpoint(dci));
  return set_dequeue(dci);
}

void device::cancel(u8 endpoint_address) {
  if (gone_) return release();
  const u32 dci = dci_of(endpoint_address);
  take_back(dci);
  // If this fails, the endpoint does not run, and submit() refuses what is new.
  if (queue(dci)->halted() && dci != control_dci)
    static_cast<void>(clear_halt(endpoint_address));
  else
    static_cast<void>(restart(dci));
}

// Sets the controller's data toggle back. Reset Endpoint does that for a halted endpoint. An
// endpoint that is not halted is dropped and added again.
result<void> device::reset_host_side(u32 dci) {
  if (queue(dci)->halted() && TRY(reset_endpoint(dci))) return set_dequeue(dci);
  begin_input(1u << dci | 1, 1u << dci);
  copy_slot_context(0);
  for (u32 i = 0; i < endpoint_count_; ++i) fill_endpoint(i);  // only the added one counts
  dma_write_barrier();
  TRY(host_.command_ok(slot_command(trb_type::configure_endpoint, slot_, input_.address())));
  queue(dci)->set_running();
  return {};
}

// The device's toggle first: until the controller's has followed, nothing is sent.
result<void> device::clear_halt(u8 endpoint_address) {
  const u32 dci = dci_of(endpoint_address);
  kassert(queue(dci));
  if (gone_) return fail(error::enodev);
  stop(dci);
  const usb::setup_packet clear{
      .request_type = 2, .request = request_clear_feature, .value = 0, .index = endpoint_address};
  TRY(control(clear, {}));
  TRY(reset_host_side(dci));
  const irq_guard guard;
  host_.ring_doorbell(slot_, dci);
  return {};
}

result<void> device::reset() {
  if (gone_) return fail(error::enodev);
  for (u32 i = 0; i < open_queues(); ++i) take_back(dci_at(i));
  const result<usb::speed> at = port_.reset(true, usb::downstream_port::device_is::served);
  if (port_.lost()) mark_gone();
  // Its endpoints are those of the speed at which it was configured: at another one it counts as
  // plugged in anew.
  if (at && *at != facts.at) mark_gone();
  if (gone_) return fail(error::enodev);
  TRY(at);
  TRY(host_.command(slot_command(trb_type::reset_device, slot_)));
  TRY(address_device());
  TRY(configure_endpoints());
  return select_configuration();
}

}  // namespace xhci
