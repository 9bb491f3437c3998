#include "tests/fuzz/scripted_device.h"

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "tests/fuzz/machine.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

u32 length_of(const usb::transfer& t) {
  u32 sum = 0;
  for (const dma_segment& s : t.segments) sum += s.length;
  return sum;
}

}  // namespace

scripted_device::scripted_device(input& in) : host_device(memory_), input_(in) {
  demand(memory_.allocate().has_value(), "no memory");
}

usb::interface_info scripted_device::interface() {
  usb::interface_info i;
  i.interface_class = 8;
  i.subclass = 6;
  i.protocol = 0x50;
  i.endpoint_list[0] = {.address = in_address, .attributes = 2, .max_packet_size = 512};
  i.endpoint_list[1] = {.address = out_address, .attributes = 2, .max_packet_size = 512};
  i.endpoint_count = 2;
  return i;
}

result<u32> scripted_device::control(const usb::setup_packet&, std::span<byte> data, duration) {
  const u8 how = input_.number();
  if (how == 1) return fail(error::epipe);
  if (how == 2) return fail(error::etimedout);
  input_.fill(data);
  return how == 3 ? 0 : static_cast<u32>(data.size());
}

result<void> scripted_device::submit(usb::transfer& t) {
  endpoint_state& endpoint = state_of(t.endpoint_address);
  t.done = false;
  t.actual = 0;
  if (gone_) return fail(error::enodev);
  if (endpoint.halted && endpoint.queued == 0) return fail(error::epipe);
  if (endpoint.queued == std::size(endpoint.queue)) return fail(error::enomem);
  endpoint.queue[endpoint.queued++] = &t;
  return {};
}

result<void> scripted_device::wait(usb::transfer& t, instant deadline) {
  serve(out_);
  serve(in_);
  serve(out_);
  for (const usb::transfer* p = &t; p; p = p->after)
    if (p->done && (p == &t || !p->outcome)) return p->outcome;
  while (now() < deadline) sleep_on(activity, deadline);
  cancel(t.endpoint_address);
  return t.done ? t.outcome : result<void>(fail(error::etimedout));
}

// Also those that were queued before it, and also when the device has not taken it in truth.
void scripted_device::settle(usb::transfer& t) {
  endpoint_state& endpoint = state_of(t.endpoint_address);
  usb::transfer** const end_of_queue = endpoint.queue + endpoint.queued;
  usb::transfer** const at = std::find(endpoint.queue, end_of_queue, &t);
  if (at != end_of_queue) {
    for (usb::transfer** each = endpoint.queue; each != at; ++each)
      end(**each, {}, length_of(**each));
    std::copy(at + 1, end_of_queue, endpoint.queue);
    endpoint.queued = static_cast<u32>(end_of_queue - at - 1);
  }
  if (!t.done) end(t, {}, length_of(t));
}

void scripted_device::cancel(u8 address) {
  endpoint_state& endpoint = state_of(address);
  for (u32 i = 0; i < endpoint.queued; ++i) end(*endpoint.queue[i], fail(error::etimedout), 0);
  endpoint.queued = 0;
}

result<void> scripted_device::clear_halt(u8 address) {
  if (input_.number() == 0xee) return fail(error::eio);
  state_of(address).halted = false;
  return {};
}

result<void> scripted_device::reset() {
  cancel(in_address);
  cancel(out_address);
  in_.halted = out_.halted = false;
  const u8 how = input_.number();
  gone_ = gone_ || how == 0xee;
  if (gone_) return fail(error::enodev);
  return how == 0xed ? result<void>(fail(error::eio)) : result<void>{};
}

// --- what the device does

void scripted_device::serve(endpoint_state& endpoint) {
  while (endpoint.queued > 0 && !endpoint.halted && !gone_) {
    usb::transfer& next = *endpoint.queue[0];
    const u8 how = input_.number();
    if (how == 0xff) return;  // no answer
    std::copy(endpoint.queue + 1, endpoint.queue + endpoint.queued, endpoint.queue);
    --endpoint.queued;
    if (how == 0xfe || how == 0xfd) {
      endpoint.halted = true;
      end(next, fail(how == 0xfe ? error::epipe : error::eio), 0);
    } else if (how == 0xfc) {
      gone_ = true;
      end(next, fail(error::enodev), 0);
    } else {
      const u32 moved = move(next);
      if (!next.quiet || moved < length_of(next)) end(next, {}, moved);
    }
  }
}

void scripted_device::end(usb::transfer& t, result<void> outcome, u32 actual) {
  t.done = true;
  t.outcome = outcome;
  t.actual = actual;
  wake_up(activity);
}

u32 scripted_device::move(usb::transfer& t) {
  u32 moved = 0;
  for (const dma_segment& s : t.segments) {
    const std::span<byte> reached = memory_at(s);
    if (t.endpoint_address == in_address)
      fill_in(reached);
    else if (reached.size() == sizeof(cbw_))
      std::memcpy(&cbw_, reached.data(), sizeof(cbw_));
    moved += s.length;
  }
  const u8 less = t.endpoint_address == in_address ? input_.number() : u8{0};
  return moved - std::min(moved, u32{less});
}

void scripted_device::fill_in(std::span<byte> to) {
  if (to.size() == sizeof(usb::storage::command_status_wrapper)) return fill_status(to);
  const auto from = input_.take(std::min(to.size(), size_t{input_.number()}));
  std::ranges::copy(from, to.begin());
}

// A right one, in which the input may change some bytes.
void scripted_device::fill_status(std::span<byte> to) {
  usb::storage::command_status_wrapper csw{.signature = {}, .tag = cbw_.tag, .residue = {}};
  csw.signature = usb::storage::command_status_wrapper::good_signature;
  csw.status = input_.number() & 3;
  csw.residue = input_.number();
  std::memcpy(to.data(), &csw, sizeof(csw));
  for (u32 changes = input_.number() & 3; changes > 0; --changes)
    to[input_.number() % to.size()] = static_cast<byte>(input_.number());
}

}  // namespace fuzz
