// The PC's old devices behind their ports: a 16550A as COM1, the 8042 with a keyboard, and the
// VGA's cursor registers. Each is strict: what its data sheet forbids or loses fails the test.
//
//   sim::pc_ports pc;                       // the devices of this test's machine
//   pc.serial.type("ls\r");                 // arrives at the line, with its interrupt
//   EXPECT_EQ(pc.serial.sent(), "ls\r\n");  // what has left the line
//
// The 8259 of a PC takes the edges of these lines: an interrupt that a handler leaves pending is
// the last one. The clock of a PC stands still while interrupts are masked: a wait that goes by it
// never ends then.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "lib/types.h"
#include "tests/sim/port_io.h"

namespace sim {

// National Semiconductor PC16550D, chapter 8.
class serial_line {
 public:
  enum class mode : u8 {
    quick,  // all is sent by the time that the driver or the test looks
    slow,   // it sends when the test says so
  };
  mode speed = mode::quick;
  u32 polls = 1;  // quick: reads of the status until it has sent
  bool is_there = true;
  std::function<void()> on_send;  // once, at the next character to be sent
  u32 idle_causes = 0;            // so often it tells of a character when there is none

  void type(std::string_view text);  // in pieces that the receiver's FIFO holds
  // Sends what the transmitter's FIFO holds, and again what comes in by the interrupt for that, so
  // many times.
  void send(u32 times = 1);
  const std::string& sent();
  std::string take_sent();

  // As the driver has set it.
  u32 divisor() const { return divisor_; }
  u8 line_control() const { return line_control_; }
  u8 modem_control() const { return modem_control_; }
  bool fifos_on() const { return fifos_on_; }
  u8 interrupts_enabled() const { return enabled_; }
  u32 most_at_once() const { return most_at_once_; }  // characters in the transmitter's FIFO
  // How often the driver has read a register. It may do so `most` times more: a wait without end
  // fails the test.
  u32 reads() const { return reads_; }
  void allow_reads(u32 most) { most_reads_ = reads_ + most; }

  u8 in(u8 offset);
  void out(u8 offset, u8 value);

 private:
  u8 interrupt_id();
  u8 status();
  void transmit(u8 value);
  void set_fifos(u8 value);
  void send_fifo();
  void update_interrupt();
  u8 pending() const;

  std::string sent_, transmitting_;
  std::deque<char> received_;
  u32 divisor_ = 0x1234, most_at_once_ = 0, polled_ = 0;
  u32 reads_ = 0, most_reads_ = 100'000'000;
  u8 enabled_ = 0x0F, line_control_ = 0, modem_control_ = 0;
  bool fifos_on_ = false, became_empty_ = false, line_is_high_ = false;
};

// IBM PS/2 technical reference, keyboard and auxiliary device controller.
class keyboard_controller {
 public:
  u8 configuration = 0x30 | 0x02 | 0x04;  // clocks off, the mouse's interrupt on, "system"
  u32 busy_polls = 0;                     // reads of the status until a byte has been taken
  u32 slow_polls = 0;                     // reads of the status until an answer is there
  bool is_there = true, answers = true, babbles = false;
  bool is_stuck = false;  // takes no byte any more

  // A scan code of the keyboard, and its interrupt. Nothing comes while the clock is off.
  void scan_code(u8 code);
  void mouse_byte(u8 value);
  void leave_old_byte(u8 value) { output_.push_back({value, false, 0}); }
  u32 status_reads() const { return status_reads_; }
  u32 data_reads() const { return data_reads_; }
  // It may be read `most` times more: a wait without end fails the test.
  void allow_reads(u32 most) { reads_left_ = most; }

  u8 in(bool status);
  void out(bool command, u8 value);

 private:
  struct output_byte {
    u8 value;
    bool from_mouse;
    u32 polls;  // until it is seen
  };
  u8 status();
  u8 take();
  void put(output_byte byte, u8 line, u8 interrupt_bit);

  std::deque<output_byte> output_;
  u32 input_busy_ = 0, status_reads_ = 0, data_reads_ = 0, reads_left_ = 100'000'000;
  u8 command_ = 0;
};

class pc_ports final : public port_model {
 public:
  pc_ports() {
    attach_ports(*this);
    crtc_.fill(0x55);
  }
  ~pc_ports() override { detach_ports(); }
  pc_ports(const pc_ports&) = delete;
  pc_ports& operator=(const pc_ports&) = delete;

  serial_line serial;
  keyboard_controller keyboard;
  // Where the VGA's cursor blinks, as a count of cells.
  u32 cursor() const { return u32{crtc_[14]} << 8 | crtc_[15]; }

  u32 in(io_port port, u32 width) override;
  void out(io_port port, u32 width, u32 value) override;

 private:
  std::array<u8, 256> crtc_{};
  u8 crtc_index_ = 0;
};

}  // namespace sim
