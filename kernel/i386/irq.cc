// hal/irq.h for the PC: two 8259A interrupt controllers in cascade (Intel 8259A data sheet).
#include "hal/irq.h"

#include <array>

#include "hal/log.h"
#include "hal/port_io.h"
#include "kernel/i386/descriptors.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/trap_frame.h"
#include "lib/bits.h"

namespace {

constexpr io_port master = 0x20, slave = 0xA0;  // command ports; data stands one above
constexpr io_port edge_level = 0x4D0;           // ELCR: one bit a line, 1 = level-triggered
constexpr u8 icw1_init = 0x11, icw4_8086 = 0x01, end_of_interrupt = 0x20, read_in_service = 0x0B;
constexpr u8 lines = 16, cascade_line = 2, lines_each = 8;

struct registration {
  irq_handler handler = nullptr;
  void* argument = nullptr;
};

struct line_state {
  std::array<registration, 6> handlers;
  bool level = false;  // level-triggered, as its handlers have asked for
  u32 unclaimed = 0;   // in a row
};
std::array<line_state, lines> line_states;
u16 masked_lines = 0xFFFF & ~(1 << cascade_line);

// A level-triggered line that no handler claims would interrupt for ever: it is masked after so
// many interrupts.
constexpr u32 unclaimed_limit = 10'000;

void write_masks() {
  out8(master + 1, static_cast<u8>(masked_lines));
  out8(slave + 1, static_cast<u8>(masked_lines >> 8));
}

void program_controller(io_port controller, u8 first_vector, u8 wiring) {
  out8(controller, icw1_init);
  out8(controller + 1, first_vector);
  out8(controller + 1, wiring);
  out8(controller + 1, icw4_8086);
}

void make_level_triggered(u8 line) {
  const io_port port = static_cast<io_port>(edge_level + line / lines_each);
  out8(port, static_cast<u8>(in8(port) | 1 << line % lines_each));
}

// Noise can raise the lowest line of a controller; then the line is not in service.
bool is_spurious(u8 line) {
  if (line % lines_each != lines_each - 1) return false;
  const io_port controller = line < lines_each ? master : slave;
  out8(controller, read_in_service);
  return !field<7, 7, u8>::in(in8(controller));
}

void acknowledge(u8 line) {
  if (line >= lines_each) out8(slave, end_of_interrupt);
  out8(master, end_of_interrupt);
}

void note_unclaimed(u8 line) {
  line_state& state = line_states[line];
  if (++state.unclaimed < unclaimed_limit) return;
  printk("irq %d: nobody claims it; the line is masked\n", line);
  masked_lines = static_cast<u16>(masked_lines | 1 << line);
  write_masks();
}

}  // namespace

void enable_interrupts() { asm volatile("sti" : : : "memory"); }
void disable_interrupts() { asm volatile("cli" : : : "memory"); }
void wait_for_interrupt() { asm volatile("sti; hlt" : : : "memory"); }

bool interrupts_are_enabled() {
  u32 flags;
  asm volatile("pushf; pop %0" : "=r"(flags) : : "memory");
  return (flags & interrupt_flag) != 0;
}

irq_guard::irq_guard() : were_enabled_(interrupts_are_enabled()) { disable_interrupts(); }

irq_guard::~irq_guard() {
  if (were_enabled_) enable_interrupts();
}

void interrupts_init() {
  program_controller(master, first_irq_vector, 1 << cascade_line);
  program_controller(slave, first_irq_vector + lines_each, cascade_line);
  write_masks();
}

result<void> request_irq(u8 line, bool level, irq_handler handler, void* argument) {
  if (line >= lines || line == cascade_line) return fail(error::einval);
  if (level && !can_be_level_triggered(line)) return fail(error::einval);
  irq_guard masked;
  line_state& state = line_states[line];
  if (state.handlers[0].handler && state.level != level) return fail(error::einval);
  for (registration& free : state.handlers) {
    if (free.handler) continue;
    free = {handler, argument};
    state.level = level;
    if (level) make_level_triggered(line);
    masked_lines = static_cast<u16>(masked_lines & ~(1 << line));
    write_masks();
    return {};
  }
  return fail(error::enfile);
}

void handle_irq(u8 line) {
  if (is_spurious(line)) {
    if (line >= lines_each) out8(master, end_of_interrupt);  // the cascade itself was in service
    return;
  }
  bool claimed = false;
  for (const registration& registered : line_states[line].handlers)
    if (registered.handler && registered.handler(registered.argument)) claimed = true;
  acknowledge(line);
  if (claimed)
    line_states[line].unclaimed = 0;
  else
    note_unclaimed(line);
}
