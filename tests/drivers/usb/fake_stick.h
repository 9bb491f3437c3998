// A mass storage device behind usb.h, without a controller: it takes wrappers and data as transfers
// and answers like a small SCSI disk. A test can make it stall, lie, hang or go.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "drivers/usb/core.h"
#include "drivers/usb/storage/bot.h"
#include "drivers/usb/storage/scsi.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/wait.h"
#include "tests/sim/memory.h"

namespace sim {

class fake_stick final : public usb::host_device {
 public:
  static constexpr u8 in_address = 0x81, out_address = 0x02;

  // What the device is about to answer; `meddle` may change it.
  struct answer {
    std::vector<byte> data;  // IN
    u8 status = 0;
    u32 residue = 0;
    u32 tag = 0;
    u32 signature = usb::storage::command_status_wrapper::good_signature;
    bool stall_data = false;
    bool stall_status = false;      // once
    bool empty_status = false;      // once
    bool status_as_data = false;    // where data should have come
    bool silent = false;            // no status ever
    bool data_without_end = false;  // the data never ends either
  };

  explicit fake_stick(u32 sectors = 2048) : content(size_t{sectors} * SECTOR_SIZE) {
    facts.bus = 0;
    facts.port = 1;
    facts.at = usb::speed::super;
    facts.vendor_id = 0x46F4;
    facts.product_id = 1;
    std::strcpy(facts.serial.data(), "FAKE1");
  }

  static usb::interface_info interface() {
    usb::interface_info i;
    i.interface_class = 8;
    i.subclass = 6;
    i.protocol = 0x50;
    i.endpoint_list[0] = {.address = in_address, .attributes = 2, .max_packet_size = 1024};
    i.endpoint_list[1] = {.address = out_address, .attributes = 2, .max_packet_size = 1024};
    i.endpoint_count = 2;
    return i;
  }

  // --- for tests ---
  std::vector<byte> content;
  std::function<void(const usb::storage::command_block_wrapper&, answer&)> meddle;
  std::deque<usb::storage::sense> failures;          // of the next commands, one each
  std::map<u8, usb::storage::sense> never_succeeds;  // by operation code
  u32 block_size = SECTOR_SIZE;
  std::optional<u32> claimed_last_lba;
  u8 mode_flags = 0, cache_flags = 4;
  bool removable_medium = false;
  std::optional<error> reset_outcome;
  u32 resets = 0, clear_halts = 0, releases = 0;
  std::vector<u32> tags;
  std::vector<u8> opcodes;

  void pull() {
    gone_ = true;
    wake_up(activity);
  }
  u32 count(u8 opcode) const {
    return static_cast<u32>(std::count(opcodes.begin(), opcodes.end(), opcode));
  }

  // --- usb::device ---
  bool gone() const override { return gone_; }
  result<u32> control(const usb::setup_packet&, std::span<byte>, duration) override { return 0u; }
  result<void> set_control_packet_size(u16) override { return {}; }
  result<void> configure(u8, std::span<const usb::endpoint>) override { return {}; }

  result<void> submit(usb::transfer& t) override {
    t.done = false;
    t.actual = 0;
    if (gone_) return fail(error::enodev);
    queue_.push_back(&t);
    advance();
    return {};
  }
  result<void> wait(usb::transfer& t, instant deadline) override {
    for (;;) {
      if (!t.done && gone_) release();
      if (t.done) return t.outcome;
      for (const usb::transfer* p = t.after; p; p = p->after)
        if (p->done && !p->outcome) return p->outcome;
      if (now() >= deadline) cancel(t.endpoint_address);
      if (t.done) return t.outcome;
      sleep_on(activity, deadline);
    }
  }
  void settle(usb::transfer& t) override {
    std::erase(quiet_, &t);
    if (!t.done) end(t, {}, length_of(t));
  }
  void cancel(u8 address) override { end_all(address, error::etimedout); }
  result<void> clear_halt(u8 address) override {
    ++clear_halts;
    (address == in_address ? in_halted_ : out_halted_) = false;
    advance();
    return {};
  }
  result<void> reset() override {
    ++resets;
    end_all(in_address, error::etimedout);
    end_all(out_address, error::etimedout);
    in_halted_ = out_halted_ = false;
    state_ = state::command;
    if (reset_outcome) return fail(*reset_outcome);
    return {};
  }
  void release() override {
    ++releases;
    gone_ = true;
    end_all(in_address, error::enodev);
    end_all(out_address, error::enodev);
  }

 private:
  enum class state { command, data_in, data_out, status };

  static u32 length_of(const usb::transfer& t) {
    u32 sum = 0;
    for (const dma_segment& s : t.segments) sum += s.length;
    return sum;
  }
  static std::vector<byte> read_memory(const usb::transfer& t) {
    std::vector<byte> all;
    for (const dma_segment& s : t.segments) {
      const byte* at = memory().at(s.address, s.length);
      all.insert(all.end(), at, at + s.length);
    }
    return all;
  }
  static u32 write_memory(const usb::transfer& t, std::span<const byte> from) {
    u32 done = 0;
    for (const dma_segment& s : t.segments) {
      const u32 part = std::min(s.length, static_cast<u32>(from.size()) - done);
      std::memcpy(memory().at(s.address, s.length), from.data() + done, part);
      done += part;
    }
    return done;
  }

  void end(usb::transfer& t, result<void> outcome, u32 actual) {
    t.outcome = outcome;
    t.actual = actual;
    t.done = true;
    wake_up(activity);
  }
  // A quiet success is told to nobody, until a later one on the same endpoint.
  void succeed(usb::transfer& t, u32 actual) {
    if (t.quiet && actual == length_of(t)) {
      quiet_.push_back(&t);
      return;
    }
    for (usb::transfer* q : std::vector(quiet_))
      if (q->endpoint_address == t.endpoint_address) settle(*q);
    end(t, {}, actual);
  }
  void end_all(u8 address, error why) {
    for (auto* list : {&queue_, &quiet_})
      for (usb::transfer* t : std::vector(*list))
        if (t->endpoint_address == address) {
          std::erase(*list, t);
          end(*t, fail(why), 0);
        }
  }
  usb::transfer* take(u8 address) {
    if (address == in_address ? in_halted_ : out_halted_) return nullptr;
    for (usb::transfer* t : queue_)
      if (t->endpoint_address == address) {
        std::erase(queue_, t);
        return t;
      }
    return nullptr;
  }

  void advance() {
    for (;;) switch (state_) {
        case state::command: {
          usb::transfer* t = take(out_address);
          if (!t) return;
          begin_command(*t);
          break;
        }
        case state::data_in: {
          if (answer_.data_without_end) return;
          usb::transfer* t = take(in_address);
          if (!t) return;
          state_ = state::status;
          if (answer_.stall_data) {
            in_halted_ = true;
            end(*t, fail(error::epipe), 0);
          } else if (answer_.status_as_data) {
            const auto csw = status();
            end(*t, {}, write_memory(*t, std::as_bytes(std::span(&csw, 1))));
            state_ = state::command;
          } else {
            succeed(*t, write_memory(*t, answer_.data));
          }
          break;
        }
        case state::data_out: {
          if (answer_.data_without_end) return;
          usb::transfer* t = take(out_address);
          if (!t) return;
          state_ = state::status;
          if (answer_.stall_data) {
            out_halted_ = true;
            end(*t, fail(error::epipe), 0);
          } else {
            if (answer_.status == 0) write_medium(read_memory(*t));
            succeed(*t, length_of(*t));
          }
          break;
        }
        case state::status: {
          if (answer_.silent) return;
          usb::transfer* t = take(in_address);
          if (!t) return;
          send_status(*t);
          break;
        }
      }
  }

  void begin_command(usb::transfer& t) {
    const std::vector<byte> raw = read_memory(t);
    ASSERT_EQ(raw.size(), sizeof(cbw_));
    std::memcpy(&cbw_, raw.data(), sizeof(cbw_));
    ASSERT_EQ(cbw_.signature, usb::storage::command_block_wrapper::good_signature);
    tags.push_back(cbw_.tag);
    opcodes.push_back(cbw_.cdb[0]);
    answer_ = {};
    answer_.tag = cbw_.tag;
    execute();
    if (meddle) meddle(cbw_, answer_);
    succeed(t, sizeof(cbw_));
    const bool in = (cbw_.flags & 0x80) != 0;
    state_ = cbw_.data_length == 0 ? state::status : in ? state::data_in : state::data_out;
  }

  usb::storage::command_status_wrapper status() const {
    usb::storage::command_status_wrapper csw;
    csw.signature = answer_.signature;
    csw.tag = answer_.tag;
    csw.residue = answer_.residue;
    csw.status = answer_.status;
    return csw;
  }
  void send_status(usb::transfer& t) {
    if (answer_.stall_status) {
      answer_.stall_status = false;
      in_halted_ = true;
      return end(t, fail(error::epipe), 0);
    }
    if (answer_.empty_status) {
      answer_.empty_status = false;
      return end(t, {}, 0);
    }
    const auto csw = status();
    state_ = state::command;
    succeed(t, write_memory(t, std::as_bytes(std::span(&csw, 1))));
  }

  void fail_with(const usb::storage::sense& s) {
    sense_ = s;
    answer_.status = 1;
    // As QEMU does it: data of the full length, and only the status tells that they are nothing.
    answer_.data.assign(cbw_.data_length, byte{0xEE});
    answer_.residue = cbw_.data_length;
  }
  u32 sector() const {
    return static_cast<u32>(cbw_.cdb[2] << 24 | cbw_.cdb[3] << 16 | cbw_.cdb[4] << 8 | cbw_.cdb[5]);
  }
  void write_medium(const std::vector<byte>& data) {
    std::memcpy(content.data() + size_t{sector()} * SECTOR_SIZE, data.data(), data.size());
  }

  void execute() {
    const u8 opcode = cbw_.cdb[0];
    const bool exempt = opcode == 0x12 || opcode == 0x03;
    if (const auto found = never_succeeds.find(opcode); found != never_succeeds.end())
      return fail_with(found->second);
    if (!exempt && !failures.empty()) {
      fail_with(failures.front());
      failures.pop_front();
      return;
    }
    std::vector<byte>& data = answer_.data;
    const auto put = [&](size_t at, std::initializer_list<u32> values) {
      for (u32 v : values) data[at++] = static_cast<byte>(v);
    };
    switch (opcode) {
      case 0x03:
        data.assign(18, byte{0});
        put(0, {0x70, 0, sense_.key});
        put(12, {sense_.asc, sense_.ascq});
        break;
      case 0x12:
        data.assign(36, byte{' '});
        put(0, {0, removable_medium ? 0x80u : 0u, 5, 2, 31, 0, 0, 0, 'F', 'A', 'K', 'E'});
        break;
      case 0x1A:
        data.assign(24, byte{0});
        put(0, {23, 0, mode_flags, 0, 0x08, 0x12, cache_flags});
        answer_.residue = cbw_.data_length - 24;
        break;
      case 0x25: {
        const u32 last =
            claimed_last_lba.value_or(static_cast<u32>(content.size() / SECTOR_SIZE) - 1);
        data.assign(8, byte{0});
        put(0, {last >> 24, last >> 16, last >> 8, last, 0, 0, block_size >> 8, block_size});
        break;
      }
      case 0x28: {
        const size_t first = size_t{sector()} * SECTOR_SIZE;
        if (first + cbw_.data_length > content.size()) return fail_with({5, 0x21, 0});
        data.assign(content.begin() + static_cast<long>(first),
                    content.begin() + static_cast<long>(first + cbw_.data_length));
        break;
      }
      default: break;
    }
  }

  bool gone_ = false;
  state state_ = state::command;
  bool in_halted_ = false, out_halted_ = false;
  usb::storage::command_block_wrapper cbw_;
  answer answer_;
  usb::storage::sense sense_;
  std::vector<usb::transfer*> queue_, quiet_;
};

}  // namespace sim
