// The event ring and the interrupt (xHCI 1.2, 4.9.4 and 4.17).
#include "hal/clock.h"
#include "tests/sim/irq.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

void controller::start_event_ring() {
  if (erstsz_ != 1) complain("the event ring segment table must have one entry here");
  const bus_place table = dma_.learn(erstba_, 16, "the event ring segment table");
  event_ring_size_ = dma_.read<u32>(table, 8, "the event ring segment table") & 0xFFFF;
  if (event_ring_size_ < 16 || event_ring_size_ > 4096) {
    complain("an event ring of a size that is not allowed");
    return break_down();
  }
  const auto base = dma_.read<u64>(table, 0, "the event ring segment table");
  if (base % 64 != 0) complain("an event ring that is not aligned");
  event_ring_ = dma_.learn(base, event_ring_size_ * u32{sizeof(trb)}, "the event ring");
  event_enqueue_ = event_dequeue_ = 0;
  event_cycle_ = true;
  event_ring_full_ = false;
  if ((erdp_ & ~u64{15}) != base) complain("ERDP does not stand at the event ring's start");
}

// The last free place gets an event that tells that the ring is full; later events are lost.
void controller::post(trb event) {
  if (status_ & sts_halted || !event_ring_) return;
  step(step_kind::event_before);
  const u32 dequeue = static_cast<u32>(((erdp_ & ~u64{15}) - event_ring_.address) / sizeof(trb));
  const u32 next = (event_enqueue_ + 1) % event_ring_size_;
  if (event_ring_full_ || next == dequeue) return;
  if ((next + 1) % event_ring_size_ == dequeue) {
    event = {0, ring_full << 24, event_host << 10};
    event_ring_full_ = true;
  }
  event.control = (event.control & ~1u) | (event_cycle_ ? 1 : 0);
  dma_.write(event_ring_, event_enqueue_ * u32{sizeof(trb)}, event, "an event");
  event_enqueue_ = next;
  if (next == 0) event_cycle_ = !event_cycle_;
  interrupt();
  step(step_kind::event_after);
}

bool controller::has_unread_events() const {
  return event_ring_ && (erdp_ & ~u64{15}) != event_ring_.address + event_enqueue_ * sizeof(trb);
}

// Sends one interrupt, and no other until the handler has cleared EHB, nor before the interval of
// IMOD is over (4.17.2).
void controller::interrupt() {
  if ((erdp_ & erdp_busy) || interrupt_planned_) return;
  if (chosen_.like_qemu || now() >= next_interrupt_) return raise();
  interrupt_planned_ = true;
  expect_irq();
  time_.after(next_interrupt_ - now(), [this] {
    interrupt_planned_ = false;
    forget_irq();
    if (!(status_ & sts_halted) && !(erdp_ & erdp_busy) && has_unread_events()) raise();
  });
}

// The line is raised as long as IP is 1 (4.17.5): a handler that leaves it is called without end.
void controller::raise() {
  erdp_ |= erdp_busy;
  iman_ |= iman_pending;
  status_ |= sts_interrupt;
  next_interrupt_ = now() + duration{i64{imod_ & 0xFFFF} * 250};
  drive_line();
}

// The level of the line: as long as it is raised, the handler is called, also when the line becomes
// raised because a mask bit is set (4.17.2).
//
// A fiber that has masked interrupts keeps the line raised until it unmasks them.
void controller::drive_line() {
  const bool enabled = (iman_ & iman_enable) && (command_register_ & cmd_interrupts);
  const bool raised = enabled && (iman_ & iman_pending) && chosen_.interrupt_line;
  const bool news = raised && !line_raised_;
  line_raised_ = raised;
  if (news)
    time_.after(1_us, [this, which = ++interrupts_] {
      if (which == interrupts_ && line_raised_ && !(status_ & sts_halted) && !off_the_bus)
        complain("the interrupt line stays raised");
    });
  drive_irq(chosen_.irq, raised);
}

void controller::leave_running() {
  command_register_ = cmd_run | cmd_interrupts;
  status_ = sts_interrupt;
  iman_ = iman_enable | iman_pending;
  drive_line();
}

// ERDP must stand at an event that was written and not read yet, or behind the last one
// (5.5.2.3.3).
void controller::check_dequeue() {
  if (!event_ring_) return;
  const u64 offset = (erdp_ & ~u64{15}) - event_ring_.address;
  const u32 at = static_cast<u32>(offset / sizeof(trb));
  if (offset >= event_ring_size_ * sizeof(trb))
    complain("ERDP leads out of the event ring");
  else if ((event_enqueue_ + event_ring_size_ - at) % event_ring_size_ >
           (event_enqueue_ + event_ring_size_ - event_dequeue_) % event_ring_size_)
    complain("ERDP goes back, or past the last event");
  else
    event_dequeue_ = at;
}

}  // namespace sim::hc
