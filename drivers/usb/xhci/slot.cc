// A device's slot: enabled, addressed, configured, disabled (xHCI 1.2, 4.3 and 4.6). The input
// context is filled again for every command.
#include <algorithm>
#include <cstring>

#include "drivers/usb/xhci/device.h"
#include "hal/log.h"
#include "hal/memory.h"
#include "hal/panic.h"

namespace xhci {

namespace {

constexpr u8 request_set_configuration = 9;
// The ring of a bulk endpoint has room for all that may be submitted to it at once (usb.h).
static_assert(most_trbs(usb::max_transfer_pieces) + usb::max_small_transfers * most_trbs(1) <=
              producer_ring::room_of(bulk_segments));
static_assert(1 + usb::max_small_transfers <= transfer_queue::max_transfers);

u16 default_control_packet(usb::speed at) {
  switch (at) {
    case usb::speed::super:
    case usb::speed::super_plus: return 512;
    case usb::speed::high: return 64;
    default: return 8;
  }
}

const char* speed_name(usb::speed at) {
  switch (at) {
    case usb::speed::low: return "low-speed";
    case usb::speed::full: return "full-speed";
    case usb::speed::high: return "high-speed";
    case usb::speed::super:
    case usb::speed::super_plus: return "SuperSpeed";
    default: return "unknown";
  }
}

}  // namespace

result<void> device_memory::allocate(u32 context_stride) {
  TRY(input.allocate(input_contexts, context_stride));
  TRY(output.allocate(device_contexts, context_stride));
  bounce = TRY(dma_buffer::allocate(PAGE_SIZE, PAGE_SIZE));
  TRY(allocate_segments(control_ring));
  for (auto& ring : bulk_rings) TRY(allocate_segments(ring));
  return driver.allocate();
}

result<void> device::bring_up() {
  record_.wants_slot = false;
  if (const result<void> claimed = port_.claim(hot_); !claimed) {
    gone_ = true;  // or its contacts still bounce: then the port is looked at again
    return claimed;
  }
  claimed_ = now();
  queues_[0].open(memory_.control_ring, 8);
  result<void> addressed = fail(error::eio);
  for (int tries = 0; tries < 3 && !addressed && !gone_ && !record_.wants_slot; ++tries) {
    const result<usb::speed> at = port_.reset(tries > 0, usb::downstream_port::device_is::unknown);
    if (at) addressed = address_once(*at);
    if (!addressed) disable_slot();
    if (port_.lost()) gone_ = true;
  }
  if (!addressed && port_.may_be_another()) gone_ = true;  // then the port is looked at again
  if (addressed)
    printk("usb %u-%u: new %s device, slot %u\n", facts.bus, facts.port, speed_name(facts.at),
           slot_);
  return addressed;
}

result<void> device::address_once(usb::speed at) {
  facts.at = at;
  if (facts.at == usb::speed::none) return fail(error::eio);
  control_packet_ = default_control_packet(facts.at);
  TRY(enable_slot());
  return address_device();
}

// When the event of the command is lost, so is the number of the slot that it has taken. The slot
// is found again when no other one is free.
result<command_outcome> device::take_slot() {
  const trb take = enable_slot_command(root().slot_type());
  result<command_outcome> taken = host_.command(take);
  if (taken && taken->code == completion::no_slots && host_.find_lost_slots())
    taken = host_.command(take);
  if (!taken && taken.error() == error::etimedout) host_.note_lost_slot();
  return taken;
}

result<void> device::enable_slot() {
  const command_outcome enabled = TRY(take_slot());
  record_.wants_slot = enabled.code == completion::no_slots;
  if (record_.wants_slot) {
    facts.unused = "the controller has no slot for it; it waits";
    printk("usb %u-%u: %s\n", facts.bus, facts.port, facts.unused);
  }
  if (enabled.code != completion::success) return fail(error::eio);
  if (enabled.slot == 0 || enabled.slot > controller::max_slots) return fail(error::eio);
  slot_ = enabled.slot;
  output_.clear();
  host_.bind_slot(slot_, this, output_.address());
  return {};
}

// 4.6.4. Afterwards the controller uses none of the device's memory.
ownership device::give_slot_back() {
  const result<command_outcome> disabled =
      host_.command(slot_command(trb_type::disable_slot, slot_));
  return ownership{disabled && (disabled->code == completion::success ||
                                disabled->code == completion::slot_not_enabled)};
}

void device::disable_slot() {
  if (slot_ == 0) return;
  or_stop_controller(give_slot_back(), "a slot cannot be disabled");
  host_.bind_slot(slot_, nullptr, {});
  slot_ = 0;
  host_.slot_vacated();
}

// --- contexts ---

void device::begin_input(u32 add_flags, u32 drop_flags) {
  input_.clear();
  input_.at(0)[0] = drop_flags;
  input_.at(0)[1] = add_flags;
}

// Copies the slot context from the output context. `entries` becomes its highest endpoint; 0 leaves
// that as it is.
void device::copy_slot_context(u32 entries) {
  for (u32 word = 0; word < 3; ++word) input_.at(1)[word] = output_.at(0)[word];
  if (entries) {
    const u32 word = input_.at(1)[0];
    input_.at(1)[0] = slot_context::context_entries::set(word, entries);
  }
}

void device::fill_input_for_address() {
  begin_input(3, 0);
  volatile u32* slot = input_.at(1);
  const usb::route way = port_.route();
  slot[0] = slot_context::route_string::of(way.string) |
            slot_context::speed::of(host_.speed_id(way, facts.at)) |
            slot_context::context_entries::of(1);
  slot[1] = slot_context::root_port::of(way.root_port);
  volatile u32* ep0 = input_.at(control_dci + 1);
  const u64 ring = queues_[0].resume_pointer();
  ep0[1] = endpoint_context::error_count::of(3) |
           endpoint_context::type::of(endpoint_context::type_control) |
           endpoint_context::max_packet::of(control_packet_);
  ep0[2] = static_cast<u32>(ring);
  ep0[3] = static_cast<u32>(ring >> 32);
  ep0[4] = endpoint_context::average_length::of(8);
}

// Fills the input context of endpoints_[index].
void device::fill_endpoint(u32 index) {
  const usb::endpoint& e = endpoints_[index];
  volatile u32* context = input_.at(dci_of(e.address) + 1);
  const u64 ring = queues_[index + 1].resume_pointer();
  const u32 type = e.is_in() ? endpoint_context::type_bulk_in : endpoint_context::type_bulk_out;
  context[1] = endpoint_context::error_count::of(3) | endpoint_context::type::of(type) |
               endpoint_context::max_burst::of(e.max_burst) |
               endpoint_context::max_packet::of(e.max_packet_size);
  context[2] = static_cast<u32>(ring);
  context[3] = static_cast<u32>(ring >> 32);
  context[4] = endpoint_context::average_length::of(3072);
}

// --- commands ---

result<void> device::address_device() {
  fill_input_for_address();
  dma_write_barrier();
  queues_[0].set_max_packet(control_packet_);
  TRY(host_.command_ok(slot_command(trb_type::address_device, slot_, input_.address())));
  queues_[0].set_running();
  sleep_for(2_ms);  // SET_ADDRESS recovery (USB 2.0, 9.2.6.3)
  return {};
}

result<void> device::set_control_packet_size(u16 bytes) {
  if (bytes == control_packet_) return {};
  begin_input(2, 0);
  volatile u32* ep0 = input_.at(control_dci + 1);
  ep0[1] = endpoint_context::error_count::of(3) |
           endpoint_context::type::of(endpoint_context::type_control) |
           endpoint_context::max_packet::of(bytes);
  dma_write_barrier();
  TRY(host_.command_ok(slot_command(trb_type::evaluate_context, slot_, input_.address())));
  control_packet_ = bytes;
  queues_[0].set_max_packet(bytes);
  return {};
}

bool device::has_endpoint_like(const usb::endpoint& e) const {
  const auto known = std::span(endpoints_).first(endpoint_count_);
  return std::ranges::any_of(known, [&](const auto& k) { return k.is_in() == e.is_in(); });
}

// Configures the first bulk endpoint of each direction: the two that class drivers use.
result<void> device::configure(u8 configuration, std::span<const usb::endpoint> endpoints) {
  kassert(endpoint_count_ == 0);
  for (const usb::endpoint& e : endpoints) {
    if (!e.is_bulk() || has_endpoint_like(e)) continue;
    queues_[endpoint_count_ + 1].open(memory_.bulk_rings[endpoint_count_], e.max_packet_size,
                                      e.max_burst);
    endpoints_[endpoint_count_++] = e;
  }
  configuration_ = configuration;
  TRY(configure_endpoints());
  return select_configuration();
}

result<void> device::configure_endpoints() {
  u32 highest = control_dci, add_flags = 1;
  for (u32 i = 0; i < endpoint_count_; ++i) {
    const u32 dci = dci_of(endpoints_[i].address);
    highest = std::max(highest, dci);
    add_flags |= 1u << dci;
  }
  begin_input(add_flags, 0);
  copy_slot_context(highest);
  for (u32 i = 0; i < endpoint_count_; ++i) fill_endpoint(i);
  dma_write_barrier();
  TRY(host_.command_ok(slot_command(trb_type::configure_endpoint, slot_, input_.address())));
  for (u32 i = 1; i <= endpoint_count_; ++i) queues_[i].set_running();
  return {};
}

result<void> device::select_configuration() {
  const usb::setup_packet set{
      .request_type = 0, .request = request_set_configuration, .value = configuration_};
  TRY(control(set, {}));
  return {};
}

}  // namespace xhci
