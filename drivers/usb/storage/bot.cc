#include "drivers/usb/storage/bot.h"

#include <cstring>

#include "hal/clock.h"
#include "hal/log.h"
#include "hal/memory.h"

namespace usb::storage {

bool is_valid_status(const command_status_wrapper& csw, u32 length, u32 tag) {
  return length == sizeof(csw) && csw.signature == command_status_wrapper::good_signature &&
         csw.tag == tag && csw.status <= static_cast<u8>(csw_status::phase_error);
}

bulk_only::bulk_only(host_device& device, const interface_info& interface)
    : device_(device),
      memory_(device.memory.page),
      cbw_segment_{memory_.address() + cbw_offset, sizeof(command_block_wrapper)},
      csw_segment_{memory_.address() + csw_offset, sizeof(command_status_wrapper)} {
  for (const endpoint& e : interface.endpoints())
    if (e.is_bulk()) {
      u8& address = e.is_in() ? in_ : out_;
      if (address == 0) address = e.address;
    }
}

command_status_wrapper bulk_only::status() const {
  command_status_wrapper csw;
  std::memcpy(&csw, memory_.bytes().data() + csw_offset, sizeof(csw));
  return csw;
}

void bulk_only::fill_cbw(const scsi_command& command) {
  command_block_wrapper cbw;
  cbw.signature = command_block_wrapper::good_signature;
  cbw.tag = ++tag_;
  cbw.data_length = command.length;
  cbw.flags = command.data == direction::in ? 0x80 : 0;
  cbw.cdb_length = command.cdb_length;
  cbw.cdb = command.cdb;
  std::memcpy(memory_.bytes().data() + cbw_offset, &cbw, sizeof(cbw));
  std::memset(memory_.bytes().data() + csw_offset, 0, sizeof(command_status_wrapper));
}

// Behind the command wrapper, and in this order: a device stalls an IN before it has seen a
// command.
result<void> bulk_only::submit_rest(exchange& x, const scsi_command& command) {
  if (command.data != direction::none) TRY(device_.submit(x.data));
  if (command.data != direction::none && !x.data.quiet) {
    const result<void> sent = device_.wait(x.data, x.deadline);
    if (!sent) TRY(clear_failed_data(x));
    x.csw.after = nullptr;
  }
  return device_.submit(x.csw);
}

// A STALL in the data ends the data, not the command: its status stands behind it.
result<void> bulk_only::clear_failed_data(exchange& x) {
  if (!x.data.done || x.data.outcome || x.data.outcome.error() != error::epipe)
    return fail(error::eio);
  x.csw.after = nullptr;
  return device_.clear_halt(x.data.endpoint_address);
}

result<void> bulk_only::read_status_again(exchange& x) {
  TRY(device_.submit(x.csw));
  return device_.wait(x.csw, x.deadline);
}

// A device that has no data to send may send its status in their place.
bool bulk_only::status_came_as_data(const exchange& x, const scsi_command& command) const {
  if (command.data != direction::in || !x.data.done || !x.data.outcome ||
      x.data.actual != sizeof(command_status_wrapper) || command.segments.size() != 1 ||
      command.segments[0].address != memory_.address() + scratch_offset)
    return false;
  command_status_wrapper csw;
  std::memcpy(&csw, scratch().data(), sizeof(csw));
  return is_valid_status(csw, x.data.actual, tag_);
}

// Waits for the status, over the stumbling blocks that the specification allows (6.7).
result<void> bulk_only::wait_status(exchange& x) {
  result<void> outcome = device_.wait(x.csw, x.deadline);
  if (!outcome && !x.csw.done) {
    TRY(clear_failed_data(x));
    outcome = device_.wait(x.csw, x.deadline);
  }
  if (!outcome && x.csw.done && outcome.error() == error::epipe) {
    TRY(device_.clear_halt(in_));
    outcome = read_status_again(x);
  } else if (outcome && x.csw.actual == 0) {
    outcome = read_status_again(x);
  }
  return outcome;
}

// What a valid status says about the transfers before it.
result<void> bulk_only::end_data(exchange& x, const scsi_command& command, u32 residue) {
  device_.settle(x.cbw);
  if (command.data == direction::none) return {};
  if (x.data.done) {
    // The status may have overtaken the news of a STALL on the other endpoint.
    const bool still_halted = !x.data.outcome && x.csw.after == &x.data;
    return still_halted ? clear_failed_data(x) : result<void>{};
  }
  if (residue == 0) {
    device_.settle(x.data);
  } else {
    device_.cancel(x.data.endpoint_address);  // the device did not take all of it
  }
  return {};
}

void bulk_only::take_back(exchange& x) {
  if (!x.cbw.done || (x.data.endpoint_address == out_ && !x.data.done)) device_.cancel(out_);
  device_.cancel(in_);
}

// Errors: enomem, enodev (nothing has been sent); eio, etimedout (host and device are out of step).
result<command_reply> bulk_only::attempt(const scsi_command& command) {
  const auto out_of_step = [](error why) {
    return fail(why == error::etimedout ? error::etimedout : error::eio);
  };
  if (count_pieces(command.segments) > max_transfer_pieces) return fail(error::enomem);
  const bool in = command.data == direction::in;
  const bool status_at_once =
      command.data == direction::out && command.length <= longest_write_with_status;
  fill_cbw(command);
  exchange x{
      .cbw = {.endpoint_address = out_, .segments = {&cbw_segment_, 1}, .quiet = true},
      .data = {.endpoint_address = in ? in_ : out_,
               .segments = command.segments,
               .quiet = status_at_once,
               .after = &x.cbw},
      .csw = {.endpoint_address = in_,
              .segments = {&csw_segment_, 1},
              .after = command.data == direction::none ? &x.cbw : &x.data},
      .deadline = now() + command.timeout,
  };
  TRY(device_.submit(x.cbw));
  result<void> outcome = submit_rest(x, command);
  if (outcome) outcome = wait_status(x);
  const bool in_place_of_data = !outcome && status_came_as_data(x, command);
  if (!outcome) take_back(x);
  if (!outcome && !in_place_of_data) return out_of_step(outcome.error());

  command_status_wrapper csw = status();
  if (in_place_of_data) {
    std::memcpy(&csw, scratch().data(), sizeof(csw));
    device_.settle(x.cbw);
    return command_reply{.failed = csw.status != static_cast<u8>(csw_status::good)};
  }
  const bool valid = is_valid_status(csw, x.csw.actual, tag_);
  if (!valid || csw.status == static_cast<u8>(csw_status::phase_error)) {
    take_back(x);
    return fail(error::eio);
  }
  if (const result<void> ended = end_data(x, command, csw.residue); !ended)
    return out_of_step(ended.error());
  const u32 moved = command.data == direction::none ? 0 : x.data.actual;
  const u32 counted = csw.residue > command.length ? 0 : command.length - csw.residue;
  return command_reply{.failed = csw.status != static_cast<u8>(csw_status::good),
                       .actual = moved < counted ? moved : counted};
}

// 5.3.4 asks for Bulk-Only Reset; a port reset does the same and more, and is what devices know
// from every other host.
result<void> bulk_only::recover() {
  printk("usb %u-%u: transport out of step, resetting the device\n", device_.facts.bus,
         device_.facts.port);
  result<void> outcome = fail(error::eio);
  for (int tries = 0; tries < 3 && !outcome && !device_.gone(); ++tries) outcome = device_.reset();
  if (device_.gone()) return fail(error::enodev);
  return outcome;
}

result<command_reply> bulk_only::execute(const scsi_command& command) {
  if (device_.gone()) return fail(error::enodev);
  const result<command_reply> reply = attempt(command);
  // Want of memory is ours: the device is not reset for it.
  if (reply || reply.error() == error::enomem) return reply;
  if (device_.gone()) return fail(error::enodev);
  if (const result<void> recovered = recover(); !recovered) {
    // Nothing helps: whoever serves it treats it as pulled.
    printk("usb %u-%u: the device does not recover\n", device_.facts.bus, device_.facts.port);
    device_.release();
    return fail(error::enodev);
  }
  return reply;
}

}  // namespace usb::storage
