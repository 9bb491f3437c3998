// The PC's old devices: see pc_ports.h.
#include "tests/sim/pc_ports.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "hal/panic.h"
#include "tests/sim/irq.h"
#include "tests/sim/world_state.h"

namespace sim {

namespace {

constexpr u32 fifo_size = 16;
constexpr u8 keyboard_line = 1, com1_line = 4, mouse_line = 12;

// A read of a port takes the old bus about a microsecond.
void take_bus_time() {
  if (inside_world() && irqs_are_enabled()) state_here().time = state_here().time + 1_us;
}

}  // namespace

// --- the serial line ---

namespace {
constexpr u8 on_received = 1, on_empty = 2;                           // interrupt enable
constexpr u8 id_none = 1, id_empty = 2, id_received = 4;              // interrupt identification
constexpr u8 divisor_access = 0x80, interrupts_out = 0x08;            // line and modem control
constexpr u8 has_received = 0x01, holding_empty = 0x20, idle = 0x40;  // line status
}  // namespace

void serial_line::type(std::string_view text) {
  for (const char c : text) {
    if (received_.size() == fifo_size) ADD_FAILURE() << "an overrun of the receiver";
    received_.push_back(c);
    update_interrupt();
  }
}

void serial_line::send(u32 times) {
  for (; times > 0; --times) send_fifo();
}

void serial_line::send_fifo() {
  sent_ += std::exchange(transmitting_, {});
  became_empty_ = true;
  update_interrupt();
}

const std::string& serial_line::sent() {
  while (speed == mode::quick && !transmitting_.empty()) send_fifo();
  return sent_;
}

std::string serial_line::take_sent() {
  sent();
  return std::exchange(sent_, {});
}

u8 serial_line::in(u8 offset) {
  if (++reads_ > most_reads_) panic("the serial line is read without end");
  if (!is_there) return 0xFF;
  switch (offset) {
    case 0: {
      if (received_.empty()) {
        ADD_FAILURE() << "a read of the receiver, which is empty";
        return 0;
      }
      const char c = received_.front();
      received_.pop_front();
      update_interrupt();
      return static_cast<u8>(c);
    }
    case 2: return interrupt_id();
    case 5: return status();
    default: ADD_FAILURE() << "a read of register " << int{offset}; return 0xFF;
  }
}

u8 serial_line::status() {
  take_bus_time();
  if (speed == mode::quick && !transmitting_.empty() && ++polled_ % polls == 0) send_fifo();
  const u8 empty = transmitting_.empty() ? holding_empty | idle : 0;
  return static_cast<u8>(empty | (received_.empty() ? 0 : has_received));
}

u8 serial_line::pending() const {
  if (idle_causes > 0 && enabled_ & on_received) return id_received;
  if (!received_.empty() && enabled_ & on_received) return id_received;
  if (became_empty_ && enabled_ & on_empty) return id_empty;
  return id_none;
}

// Reading that the transmitter is empty answers that interrupt.
u8 serial_line::interrupt_id() {
  const u8 id = pending();
  if (id == id_received && received_.empty()) --idle_causes;
  if (id == id_empty) became_empty_ = false;
  update_interrupt();
  return static_cast<u8>(id | (fifos_on_ ? 0xC0 : 0));
}

void serial_line::update_interrupt() {
  const bool high = pending() != id_none && modem_control_ & interrupts_out;
  const bool rises = high && !line_is_high_;
  line_is_high_ = high;
  if (rises) raise_irq(com1_line);
}

void serial_line::out(u8 offset, u8 value) {
  if (!is_there) return;
  const bool divisor_selected = line_control_ & divisor_access;
  switch (offset) {
    case 0:
      if (divisor_selected)
        divisor_ = (divisor_ & 0xFF00) | value;
      else
        transmit(value);
      break;
    case 1:
      if (divisor_selected) {
        divisor_ = (divisor_ & 0xFF) | u32{value} << 8;
      } else {
        if (value & ~enabled_ & on_empty && transmitting_.empty()) became_empty_ = true;
        enabled_ = value;
      }
      break;
    case 2: set_fifos(value); break;
    case 3: line_control_ = value; break;
    case 4: modem_control_ = value; break;
    default: ADD_FAILURE() << "a write to register " << int{offset};
  }
  update_interrupt();
}

void serial_line::transmit(u8 value) {
  if (transmitting_.size() == (fifos_on_ ? fifo_size : 1)) ADD_FAILURE() << "a character is lost";
  transmitting_ += static_cast<char>(value);
  most_at_once_ = std::max(most_at_once_, static_cast<u32>(transmitting_.size()));
  became_empty_ = false;
  if (const auto tell = std::exchange(on_send, {})) tell();
}

void serial_line::set_fifos(u8 value) {
  fifos_on_ = value & 1;
  if (value & 2) received_.clear();
  if (value & 4) transmitting_.clear();
}

// --- the keyboard ---

namespace {
constexpr u8 output_full = 0x01, input_full = 0x02, from_mouse = 0x20;  // status
constexpr u8 keyboard_interrupt = 0x01, mouse_interrupt = 0x02, keyboard_clock_off = 0x10,
             translate = 0x40;                                       // configuration
constexpr u8 read_configuration = 0x20, write_configuration = 0x60;  // commands
}  // namespace

void keyboard_controller::put(output_byte byte, u8 line, u8 interrupt_bit) {
  output_.push_back(byte);
  if (configuration & interrupt_bit) raise_irq(line);
}

void keyboard_controller::scan_code(u8 code) {
  if (configuration & keyboard_clock_off) return;
  EXPECT_TRUE(configuration & translate) << "the keyboard sends codes of set 2";
  put({code, false, 0}, keyboard_line, keyboard_interrupt);
}

// Some controllers raise the keyboard's line for the mouse, too.
void keyboard_controller::mouse_byte(u8 value) {
  put({value, true, 0}, mouse_line, mouse_interrupt);
  raise_irq(keyboard_line);
}

u8 keyboard_controller::in(bool is_status) {
  if (reads_left_-- == 0) panic("the keyboard controller is read without end");
  if (!is_there) return 0xFF;
  if (is_status) return status();
  return take();
}

u8 keyboard_controller::status() {
  take_bus_time();
  ++status_reads_;
  const u8 busy = input_busy_ || is_stuck ? input_full : 0;
  input_busy_ -= input_busy_ > 0;
  if (babbles) return static_cast<u8>(busy | output_full);
  if (output_.empty()) return busy;
  if (output_.front().polls > 0) {
    --output_.front().polls;
    return busy;
  }
  return static_cast<u8>(busy | output_full | (output_.front().from_mouse ? from_mouse : 0));
}

u8 keyboard_controller::take() {
  ++data_reads_;
  if (babbles) return 0xFA;
  if (output_.empty() || output_.front().polls > 0) {
    ADD_FAILURE() << "a read of the keyboard controller's output, which is empty";
    return 0;
  }
  const u8 value = output_.front().value;
  output_.pop_front();
  return value;
}

void keyboard_controller::out(bool is_command, u8 value) {
  if (!is_there) return;
  if (input_busy_ || is_stuck) ADD_FAILURE() << "a byte for a controller that is not ready";
  input_busy_ = busy_polls;
  if (!is_command) {
    EXPECT_EQ(command_, write_configuration) << "a byte for the keyboard itself";
    configuration = value;
    command_ = 0;
    return;
  }
  EXPECT_TRUE(value == read_configuration || value == write_configuration) << int{value};
  command_ = value;
  if (value == read_configuration && answers) output_.push_back({configuration, false, slow_polls});
}

// --- the ports ---

u32 pc_ports::in(io_port port, u32 width) {
  EXPECT_EQ(width, 1u) << "port " << port;
  if (port >= 0x3F8 && port < 0x400) return serial.in(static_cast<u8>(port - 0x3F8));
  if (port == 0x60 || port == 0x64) return keyboard.in(port == 0x64);
  ADD_FAILURE() << "a read of port " << port;
  return 0xFF;
}

void pc_ports::out(io_port port, u32 width, u32 value) {
  EXPECT_EQ(width, 1u) << "port " << port;
  const u8 low = static_cast<u8>(value);
  if (port >= 0x3F8 && port < 0x400)
    serial.out(static_cast<u8>(port - 0x3F8), low);
  else if (port == 0x60 || port == 0x64)
    keyboard.out(port == 0x64, low);
  else if (port == 0x3D4)
    crtc_index_ = low;
  else if (port == 0x3D5)
    crtc_[crtc_index_] = low;
  else
    ADD_FAILURE() << "a write to port " << port;
}

}  // namespace sim
