#include "drivers/char/serial.h"

#include <algorithm>
#include <array>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/port_io.h"
#include "hal/wait.h"
#include "lib/types.h"

namespace {

// Registers of the 16550A (National Semiconductor PC16550D, 8.0).
constexpr io_port com1 = 0x3F8;
constexpr io_port data = com1, interrupt_enable = com1 + 1, interrupt_id = com1 + 2,
                  fifo_control = com1 + 2, line_control = com1 + 3, modem_control = com1 + 4,
                  line_status = com1 + 5;
constexpr u8 on_received = 1, on_transmitted = 2;        // interrupt_enable
constexpr u8 no_interrupt = 1;                           // interrupt_id
constexpr u8 fifos_on_and_cleared = 0x07;                // fifo_control
constexpr u8 eight_bits = 0x03, divisor_access = 0x80;   // line_control
constexpr u8 ready = 0x03, interrupts_out = 0x08;        // modem_control
constexpr u8 received = 0x01, transmitter_empty = 0x20;  // line_status
constexpr u8 divisor_115200 = 1;
constexpr u8 serial_line = 4;
constexpr u32 fifo_size = 16;
// Waits of callers that cannot sleep, in reads of the line's status, each of which takes about a
// microsecond: while interrupts are masked the clock stands still (kernel/i386/clock.cc). For room
// they wait only until a line that works would have sent a few hundred characters.
constexpr u32 stuck_after = 2'000'000, full_after = 100'000;
constexpr duration patience = 60_s;  // waits of callers that can sleep
// Interrupts in a row for which there is nothing to be done. Some chips never stop to raise one.
constexpr u32 most_idle_causes = 100;

constexpr u32 queue_size = 16384, plenty = queue_size / 2;
std::array<char, queue_size> queue;
u32 head = 0, tail = 0;  // characters taken and added so far
bool by_polling = true;  // until interrupts are there
bool present = false;
bool stuck = false;  // the line has taken nothing for a long time: it is not connected
wait_queue room;     // tasks that wait for room in the queue
void (*receiver)(char) = nullptr;

bool transmitter_ready() { return (in8(line_status) & transmitter_empty) != 0; }

// Sends characters until the line takes no more.
void send_queued() {
  while (head != tail && transmitter_ready()) {
    stuck = false;
    for (u32 i = 0; i < fifo_size && head != tail; ++i)
      out8(data, static_cast<u8>(queue[head++ % queue_size]));
  }
}

void select_interrupts() {
  const u8 transmit = head != tail && !by_polling ? on_transmitted : 0;
  out8(interrupt_enable, static_cast<u8>(transmit | on_received));
}

u32 queued() { return tail - head; }

// A line that takes nothing is waited for no longer, by any task.
void give_line_up() {
  stuck = true;
  wake_up(room);
}

// Waits until the queue holds at most `left` characters. If the line is stuck, the oldest half of
// the queue is thrown away, or all but `left`.
void drain(u32 left, u32 most_polls) {
  for (u32 polls = 0; queued() > left; ++polls) {
    const u32 before = head;
    send_queued();
    if (head != before) polls = 0;
    if (queued() > left && (stuck || polls > most_polls)) {
      head = tail - std::min(left, plenty);
      give_line_up();
    }
  }
}

void go_on_by_polling() {
  by_polling = true;
  drain(0, stuck_after);
}

// At most a FIFO full: a chip that has gone away reads as ones, so that it always has a character.
bool receive_some() {
  u32 taken = 0;
  for (; taken < fifo_size && in8(line_status) & received; ++taken)
    receiver(static_cast<char>(in8(data)));
  return taken > 0;
}

// Does what there is to be done for an interrupt. Returns whether there was anything.
bool serve_line() {
  const u32 sent_before = head;
  const bool has_received = receive_some();
  send_queued();
  select_interrupts();
  return has_received || head != sent_before;
}

// While it runs, the clock stands still. So it must end whatever the chip says.
bool serial_interrupt(void*) {
  bool ours = false;
  for (u32 idle = 0; !(in8(interrupt_id) & no_interrupt);) {
    ours = true;
    idle = serve_line() ? 0 : idle + 1;
    if (idle < most_idle_causes) continue;
    out8(interrupt_enable, 0);
    go_on_by_polling();
    printk("com1: its interrupt does not end; it is polled from now on, and receives nothing\n");
    break;
  }
  if (queued() <= plenty) wake_up(room);
  return ours;
}

}  // namespace

void serial_init() {
  out8(interrupt_enable, 0);
  out8(line_control, divisor_access);
  out8(data, divisor_115200);
  out8(interrupt_enable, 0);  // the divisor's upper half
  out8(line_control, eight_bits);
  out8(fifo_control, fifos_on_and_cleared);
  out8(modem_control, ready | interrupts_out);
  present = in8(line_status) != 0xFF;
}

void serial_write(std::span<const char> text) {
  if (!present) return;
  for (const char c : text) {
    if (queued() == queue_size) drain(queue_size - fifo_size, full_after);
    queue[tail++ % queue_size] = c;
  }
  send_queued();
  if (by_polling)
    drain(0, stuck_after);
  else
    select_interrupts();
}

bool serial_has_room() {
  const irq_guard masked;
  return queued() <= plenty || stuck;
}

bool serial_wait_for_room() {
  irq_guard masked;
  const instant deadline = now() + patience;
  while (!serial_has_room()) {
    const wake_reason why = interruptible_sleep_on(room, deadline);
    if (why == wake_reason::signalled) return false;
    if (why == wake_reason::timed_out) give_line_up();
  }
  return true;
}

void serial_panic() { go_on_by_polling(); }

void set_serial_input(void (*receive)(char)) {
  if (!present) return;
  receiver = receive;
  by_polling = !request_irq(serial_line, false, serial_interrupt, nullptr);
  select_interrupts();
}
