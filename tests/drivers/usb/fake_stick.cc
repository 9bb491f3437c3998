#include "tests/drivers/usb/fake_stick.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "tests/sim/memory.h"

namespace sim {

using usb::storage::command_status_wrapper;

namespace {

u32 length_of(const usb::transfer& t) {
  u32 sum = 0;
  for (const dma_segment& s : t.segments) sum += s.length;
  return sum;
}

std::vector<byte> read_memory(const usb::transfer& t) {
  std::vector<byte> all;
  for (const dma_segment& s : t.segments) {
    const byte* at = memory().at(s.address, s.length);
    all.insert(all.end(), at, at + s.length);
  }
  return all;
}

u32 write_memory(const usb::transfer& t, std::span<const byte> from) {
  u32 done = 0;
  for (const dma_segment& s : t.segments) {
    const u32 part = std::min(s.length, static_cast<u32>(from.size()) - done);
    std::memcpy(memory().at(s.address, s.length), from.data() + done, part);
    done += part;
  }
  return done;
}

}  // namespace

fake_stick::fake_stick(u32 sectors) : host_device(memory_), storage(sectors) {
  EXPECT_TRUE(memory_.allocate());
  facts.bus = 0;
  facts.port = 1;
  facts.at = usb::speed::super;
  facts.vendor_id = 0x46F4;
  facts.product_id = 1;
  std::strcpy(facts.serial.data(), "FAKE1");
}

usb::interface_info fake_stick::interface() {
  usb::interface_info i;
  i.interface_class = 8;
  i.subclass = 6;
  i.protocol = 0x50;
  i.endpoint_list[0] = {.address = in_address, .attributes = 2, .max_packet_size = 1024};
  i.endpoint_list[1] = {.address = out_address, .attributes = 2, .max_packet_size = 1024};
  i.endpoint_count = 2;
  return i;
}

void fake_stick::pull() {
  gone_ = true;
  wake_up(activity);
}

fake_stick::logical_unit& fake_stick::add_unit(u32 sectors) { return more_.emplace_back(sectors); }

// --- usb::device ---

result<u32> fake_stick::control(const usb::setup_packet& asked, std::span<byte> data, duration) {
  constexpr u8 get_max_lun = 0xFE;
  setup = asked;
  if (asked.request != get_max_lun || asked.length != 1 || data.size() != 1)
    return fail(error::epipe);
  data[0] = static_cast<byte>(claimed_last_unit.value_or(static_cast<u8>(more_.size())));
  if (lost_max_luns > 0) {
    --lost_max_luns;
    return fail(error::eio);
  }
  return max_lun_outcome;
}

result<void> fake_stick::submit(usb::transfer& t) {
  t.done = false;
  t.actual = 0;
  if (gone_) return fail(error::enodev);
  if (!has_room) return fail(error::enomem);
  ++transfers;
  overlaps += t.after && !t.after->done;
  queue_.push_back(&t);
  return {};
}

// Nothing is moved before the driver waits.
result<void> fake_stick::wait(usb::transfer& t, instant deadline) {
  for (;;) {
    advance();
    if (!t.done && gone_) release();
    if (t.done) return t.outcome;
    for (const usb::transfer* p = t.after; p; p = p->after)
      if (p->done && !p->outcome) return p->outcome;
    if (now() >= deadline) cancel(t.endpoint_address);
    if (t.done) return t.outcome;
    sleep_on(activity, deadline);
  }
}

void fake_stick::settle(usb::transfer& t) {
  std::erase(quiet_, &t);
  if (!t.done) end(t, {}, length_of(t));
}

result<void> fake_stick::clear_halt(u8 address) {
  ++clear_halts;
  (address == in_address ? in_halted_ : out_halted_) = false;
  advance();
  return {};
}

result<void> fake_stick::reset() {
  ++resets;
  end_all(in_address, error::etimedout);
  end_all(out_address, error::etimedout);
  in_halted_ = out_halted_ = false;
  state_ = state::command;
  storage.drop_cache();
  disk.reset();
  for (logical_unit& each : more_) {
    each.storage.drop_cache();
    each.disk.reset();
  }
  if (reset_outcome) return fail(*reset_outcome);
  return {};
}

void fake_stick::release() {
  ++releases;
  gone_ = true;
  end_all(in_address, error::enodev);
  end_all(out_address, error::enodev);
}

// --- transfers ---

void fake_stick::end(usb::transfer& t, result<void> outcome, u32 actual) {
  t.outcome = outcome;
  t.actual = actual;
  t.done = true;
  wake_up(activity);
}

// A quiet transfer that succeeds is not done until a later one on the same endpoint is.
void fake_stick::succeed(usb::transfer& t, u32 actual) {
  if (t.quiet && actual == length_of(t)) {
    quiet_.push_back(&t);
    return;
  }
  for (usb::transfer* q : std::vector(quiet_))
    if (q->endpoint_address == t.endpoint_address) settle(*q);
  end(t, {}, actual);
}

void fake_stick::end_all(u8 address, error why) {
  for (auto* list : {&queue_, &quiet_})
    for (usb::transfer* t : std::vector(*list))
      if (t->endpoint_address == address) {
        std::erase(*list, t);
        end(*t, fail(why), 0);
      }
}

usb::transfer* fake_stick::take(u8 address) {
  if (address == in_address ? in_halted_ : out_halted_) return nullptr;
  for (usb::transfer* t : queue_)
    if (t->endpoint_address == address) {
      std::erase(queue_, t);
      return t;
    }
  return nullptr;
}

void fake_stick::advance() {
  while (advance_once()) {
  }
}

// Does the device's next step. False when there is no transfer for it.
bool fake_stick::advance_once() {
  const bool data = state_ == state::data_in || state_ == state::data_out;
  if (data && answer_.data_without_end) return false;
  if (state_ == state::status && answer_.silent) return false;
  const bool out = state_ == state::command || state_ == state::data_out;
  // Data that it has left: it takes no wrapper before they are taken back.
  const auto is_out = [](const usb::transfer* each) {
    return each->endpoint_address == out_address;
  };
  const auto first = std::ranges::find_if(queue_, is_out);
  const bool left = first != queue_.end() && length_of(**first) != sizeof(cbw_);
  if (state_ == state::command && answer_.leave_data && left) return false;
  usb::transfer* t = take(out ? out_address : in_address);
  if (!t) return false;
  switch (state_) {
    case state::command: begin_command(*t); break;
    case state::data_in: give_data(*t); break;
    case state::data_out: take_data(*t); break;
    case state::status: send_status(*t); break;
  }
  return true;
}

void fake_stick::begin_command(usb::transfer& t) {
  if (stall_wrappers > 0) {
    --stall_wrappers;
    transfers_at_stall = transfers;
    out_halted_ = true;
    return end(t, fail(error::epipe), 0);
  }
  const std::vector<byte> raw = read_memory(t);
  ASSERT_EQ(raw.size(), sizeof(cbw_));
  std::memcpy(&cbw_, raw.data(), sizeof(cbw_));
  ASSERT_EQ(cbw_.signature, usb::storage::command_block_wrapper::good_signature);
  tags.push_back(cbw_.tag);
  opcodes.push_back(cbw_.cdb[0]);
  units.push_back(cbw_.lun);
  const bool in = (cbw_.flags & 0x80) != 0;
  ASSERT_EQ(cbw_.flags & 0x7F, 0);
  ASSERT_LE(cbw_.lun, more_.size());
  current_ = cbw_.lun == 0 ? &disk : &std::next(more_.begin(), cbw_.lun - 1)->disk;
  ASSERT_EQ(cbw_.cdb_length, scsi_target::length_of(cbw_.cdb[0]));
  answer_ = {};
  answer_.tag = cbw_.tag;
  answer_.data = current_->begin(cbw_.cdb, cbw_.data_length);
  answer_.status = current_->failed();
  if (in || current_->failed())
    answer_.residue = cbw_.data_length - static_cast<u32>(answer_.data.size());
  // As QEMU does it: data of the full length, and only the status tells that they do not count.
  if (current_->failed()) answer_.data.assign(cbw_.data_length, byte{0xEE});
  if (meddle) meddle(cbw_, answer_);
  succeed(t, sizeof(cbw_));
  const bool moves_none = cbw_.data_length == 0 || answer_.leave_data;
  state_ = moves_none ? state::status : in ? state::data_in : state::data_out;
}

void fake_stick::give_data(usb::transfer& t) {
  state_ = state::status;
  if (answer_.stall_data) {
    in_halted_ = true;
    end(t, fail(error::epipe), 0);
  } else if (answer_.status_as_data) {
    const command_status_wrapper csw = status();
    end(t, {}, write_memory(t, std::as_bytes(std::span(&csw, 1))));
    state_ = state::command;
  } else {
    succeed(t, write_memory(t, answer_.data));
  }
}

void fake_stick::take_data(usb::transfer& t) {
  state_ = state::status;
  if (answer_.stall_data) {
    out_halted_ = true;
    return end(t, fail(error::epipe), 0);
  }
  if (answer_.status == 0) current_->take(read_memory(t));
  succeed(t, length_of(t));
}

command_status_wrapper fake_stick::status() {
  current_->finish(answer_.status == 0);
  if (current_->failed() && answer_.status == 0) answer_.status = 1;
  command_status_wrapper csw;
  csw.signature = answer_.signature;
  csw.tag = answer_.tag;
  csw.residue = answer_.residue;
  csw.status = answer_.status;
  return csw;
}

void fake_stick::send_status(usb::transfer& t) {
  if (answer_.stall_status) {
    answer_.stall_status = false;
    in_halted_ = true;
    return end(t, fail(error::epipe), 0);
  }
  if (answer_.empty_status) {
    answer_.empty_status = false;
    return end(t, {}, 0);
  }
  const command_status_wrapper csw = status();
  state_ = state::command;
  succeed(t, write_memory(t, std::as_bytes(std::span(&csw, 1))));
}

}  // namespace sim
