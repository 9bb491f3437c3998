#include "drivers/usb/storage/bot.h"

#include <algorithm>
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
    : transport(device),
      interface_(interface.number),
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
  cbw.lun = command.unit;
  cbw.cdb_length = command.cdb_length;
  cbw.cdb = command.cdb;
  std::memcpy(memory_.bytes().data() + cbw_offset, &cbw, sizeof(cbw));
  std::memset(memory_.bytes().data() + csw_offset, 0, sizeof(command_status_wrapper));
}

// Submits data and status, behind the command wrapper and in this order: a device answers an IN
// with STALL before it has seen a command. A status that may not be queued behind its data (bot.h)
// is submitted when the data have ended, if it has not come in their place.
result<void> bulk_only::submit_rest(exchange& x, const scsi_command& command) {
  if (careful_) TRY(device_.wait(x.cbw, x.deadline));
  if (command.data != direction::none) TRY(device_.submit(x.data));
  if (command.data != direction::none && !x.data.quiet) {
    const result<void> sent = device_.wait(x.data, x.deadline);
    if (!sent) TRY(clear_failed_data(x));
    x.csw.after = nullptr;
    x.status_in_data = find_status_in_data(x, command);
    if (x.status_in_data) return {};
  }
  return device_.submit(x.csw);
}

// After a STALL in the data stage. It ends the data but not the command: the status is still to
// come. Any other failure of the data is one of the transport (eio).
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

// The status of a device that has no data to send and sends its status in their place; nothing when
// the data are something else.
std::optional<command_status_wrapper> bulk_only::find_status_in_data(
    const exchange& x, const scsi_command& command) const {
  command_status_wrapper csw;
  if (!x.data.outcome || x.data.actual != sizeof(csw) || command.head.size() < sizeof(csw))
    return std::nullopt;
  std::memcpy(&csw, command.head.data(), sizeof(csw));
  if (!is_valid_status(csw, x.data.actual, tag_)) return std::nullopt;
  return csw;
}

// Waits for the status. The specification allows three irregularities on the way (6.7): the data
// end with a STALL, the status is answered with a STALL once, or it comes empty once. Each is
// cleared, and the status is read again.
result<void> bulk_only::wait_status(exchange& x) {
  result<void> outcome = device_.wait(x.csw, x.deadline);
  if (!outcome && !x.csw.done) {
    TRY(clear_failed_data(x));
    outcome = device_.wait(x.csw, x.deadline);
  }
  if (!outcome && x.csw.done && outcome.error() == error::epipe) {
    const bool behind_data_out = x.data.endpoint_address == out_ && x.csw.after == &x.data;
    if (behind_data_out) be_careful();
    TRY(device_.clear_halt(in_));
    outcome = read_status_again(x);
  } else if (outcome && x.csw.actual == 0) {
    outcome = read_status_again(x);
  }
  return outcome;
}

// Ends the transfers before a valid status: it shows that the wrapper has arrived, and its residue
// shows whether all data were moved.
result<void> bulk_only::end_data(exchange& x, const scsi_command& command,
                                 const command_status_wrapper& csw) {
  if (!x.cbw.done) device_.settle(x.cbw);
  if (command.data == direction::none) return {};
  if (x.data.done) {
    // A STALL of the data may become known only now, after the status on the other endpoint.
    const bool still_halted = !x.data.outcome && x.csw.after == &x.data;
    return still_halted ? clear_failed_data(x) : result<void>{};
  }
  if (csw.residue == 0 && csw.status == static_cast<u8>(csw_status::good)) {
    device_.settle(x.data);
  } else {
    // The device has not taken all of the data, or has failed and may have left some of them.
    device_.cancel(x.data.endpoint_address);
    x.unknown = true;
  }
  return {};
}

// Afterwards every transfer of the command is done, and the controller uses none of its memory.
void bulk_only::take_back(exchange& x) {
  if (!x.cbw.done || (x.data.endpoint_address == out_ && !x.data.done)) device_.cancel(out_);
  device_.cancel(in_);
}

// Sets up the three transfers of a command. The wrapper is quiet, because what the device does next
// shows that it has arrived. So is data OUT with a status queued behind it.
void bulk_only::prepare(exchange& x, const scsi_command& command) {
  fill_cbw(command);
  x.cbw = {.endpoint_address = out_, .segments = {&cbw_segment_, 1}, .quiet = !careful_};
  x.data = {.endpoint_address = command.data == direction::in ? in_ : out_,
            .segments = command.segments,
            .quiet = command.data == direction::out && !careful_ &&
                     command.length <= longest_write_with_status,
            .after = &x.cbw};
  x.csw = {.endpoint_address = in_,
           .segments = {&csw_segment_, 1},
           .after = command.data == direction::none ? &x.cbw : &x.data};
  x.deadline = now() + command.timeout;
}

// From now on one transfer at a time.
void bulk_only::be_careful() {
  if (!careful_)
    printk("usb %u-%u: the device gets one transfer at a time\n", device_.facts.bus,
           device_.facts.port);
  careful_ = true;
}

// A success with all bytes, of which fewer count than any device has for this command.
void bulk_only::learn_residue(const exchange& x, const scsi_command& command,
                              const command_status_wrapper& csw) {
  const bool good = csw.status == static_cast<u8>(csw_status::good);
  const u32 count = command.length - std::min<u32>(csw.residue, command.length);
  if (ignores_residue_ || !good || x.data.actual < command.length || count >= command.least) return;
  printk("usb %u-%u: its residues are ignored\n", device_.facts.bus, device_.facts.port);
  ignores_residue_ = true;
  be_careful();  // the residue would tell how much of a write was taken
}

// How a command has ended, by its valid status: whether it has failed, and how many bytes count. A
// byte counts when both sides say that it was moved: the controller (actual) and the device
// (residue). Of data OUT that were taken back only the device knows.
command_reply bulk_only::reply_of(const exchange& x, const scsi_command& command,
                                  const command_status_wrapper& csw) const {
  const bool failed = csw.status != static_cast<u8>(csw_status::good);
  const u32 residue = ignores_residue_ ? 0 : u32{csw.residue};
  const bool moved = command.data != direction::none && !x.status_in_data;
  if (!moved || residue > command.length) return {.failed = failed};
  const u32 told = command.length - residue;
  return {.failed = failed, .actual = x.unknown ? told : std::min(x.data.actual, told)};
}

// The three stages up to a valid status, which is not that of a phase error.
result<command_status_wrapper> bulk_only::run_stages(exchange& x, const scsi_command& command) {
  TRY(submit_rest(x, command));
  if (!x.status_in_data) TRY(wait_status(x));
  const command_status_wrapper csw = x.status_in_data.value_or(status());
  const bool valid = x.status_in_data || is_valid_status(csw, x.csw.actual, tag_);
  if (!valid || csw.status == static_cast<u8>(csw_status::phase_error)) return fail(error::eio);
  return csw;
}

// Sends a command once. After enomem and enodev nothing has been sent; after eio and etimedout host
// and device are out of step.
result<command_reply> bulk_only::attempt(const scsi_command& command) {
  const auto out_of_step = [this](error why) {
    if (!device_.gone()) be_careful();
    return fail(why == error::etimedout ? error::etimedout : error::eio);
  };
  if (count_pieces(command.segments) > max_transfer_pieces) return fail(error::enomem);
  exchange x;
  prepare(x, command);
  TRY(device_.submit(x.cbw));

  const result<command_status_wrapper> csw = run_stages(x, command);
  if (!csw) {
    take_back(x);
    return out_of_step(csw.error());
  }
  if (const result<void> ended = end_data(x, command, *csw); !ended)
    return out_of_step(ended.error());
  learn_residue(x, command, *csw);
  return reply_of(x, command, *csw);
}

// Brings host and device into step again by a port reset. 5.3.4 names Bulk-Only Reset for this; a
// port reset does the same and more, and other hosts use it, so devices are tested with it.
result<void> bulk_only::recover() {
  ++resets_;
  printk("usb %u-%u: transport out of step, resetting the device\n", device_.facts.bus,
         device_.facts.port);
  return bring_into_step(device_);
}

result<command_reply> bulk_only::carry_out(const scsi_command& command) {
  if (device_.gone()) return fail(error::enodev);
  const result<command_reply> reply = attempt(command);
  // enomem is the host's want of memory: no reason to reset the device.
  if (reply || reply.error() == error::enomem) return reply;
  if (device_.gone()) return fail(error::enodev);
  if (const result<void> recovered = recover(); !recovered) {
    if (device_.gone()) return fail(error::enodev);
    // No reset helps. Released, the device counts as pulled.
    printk("usb %u-%u: the device does not recover\n", device_.facts.bus, device_.facts.port);
    device_.facts.unused = "no reset brings it into step";
    device_.release();
    return fail(error::enodev);
  }
  return reply;
}

// What the device tells of the command that has just failed; nothing if it refuses to tell.
result<std::span<const byte>> bulk_only::request_sense(u8 unit) {
  constexpr u8 opcode = 0x03;
  const std::span<byte> data = memory_.bytes().subspan(sense_offset, sense_length);
  std::ranges::fill(data, byte{0});
  const dma_segment segment{memory_.address() + sense_offset, sense_length};
  const scsi_command c{.unit = unit,
                       .cdb = {opcode, 0, 0, 0, sense_length},
                       .cdb_length = 6,
                       .data = direction::in,
                       .segments = {&segment, 1},
                       .length = sense_length,
                       .head = data};
  const command_reply reply = TRY(carry_out(c));
  return reply.failed ? std::span<const byte>{} : data.first(reply.actual);
}

result<command_reply> bulk_only::execute(const scsi_command& command) {
  command_reply reply = TRY(carry_out(command));
  if (!reply.failed) return reply;
  const result<std::span<const byte>> sense = request_sense(command.unit);
  // Whatever became of the sense data, the command has failed: its caller must know that.
  if (sense) reply.sense = *sense;
  if (!sense && device_.gone()) return fail(error::enodev);
  return reply;
}

// GET MAX LUN (3.2): the number of the last unit. A device with one may answer with STALL.
u8 bulk_only::count_units() {
  constexpr u8 get_max_lun = 0xFE, most = 15;
  std::array<byte, 1> last{};
  const setup_packet setup{
      .request_type = 0xA1, .request = get_max_lun, .index = interface_, .length = 1};
  const result<u32> length = with_patience([&] { return device_.control(setup, last); });
  if (!length || *length != 1 || static_cast<u8>(last[0]) > most) return 1;
  return static_cast<u8>(static_cast<u8>(last[0]) + 1);
}

}  // namespace usb::storage
