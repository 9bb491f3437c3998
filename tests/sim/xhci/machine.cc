#include "tests/sim/xhci/machine.h"

#include "hal/irq.h"
#include "hal/panic.h"
#include "hal/task.h"
#include "tests/sim/irq.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace sim {

namespace {

constexpr phys_addr window_address{0xFEB0'0000};

void run_driver(void* driver) { static_cast<xhci::controller*>(driver)->run(); }

void cut_off(const void* model) {
  static_cast<hc::controller*>(const_cast<void*>(model))->cut_off();
}

void restore(const void* model) {
  static_cast<hc::controller*>(const_cast<void*>(model))->restore();
}

bool on_interrupt(void* driver) { return static_cast<xhci::controller*>(driver)->interrupt(); }

}  // namespace

usb_machine::usb_machine(const hc::controller_settings& chosen)
    : chosen_(chosen),
      controller_(chosen, time_),
      window_(window_address, hc::window_size, controller_),
      outlets_{port_outlet(*this, 1), port_outlet(*this, 2), port_outlet(*this, 3),
               port_outlet(*this, 4)} {}

void usb_machine::power_on() {
  switch_on();
  const result<mmio_window> registers = map_mmio(window_address, hc::window_size);
  kassert(registers.has_value());
  driver_ = std::make_unique<xhci::controller>(*registers, u8{0},
                                               xhci::bus_access{cut_off, restore, &controller_});
  controller_.by_a_kernel = true;
  {
    const kept_memory for_ever;
    static_cast<void>(driver_->reserve());
  }
  kassert(kernel_task("xhci", run_driver, driver_.get()));
  kassert(request_irq(chosen_.irq, true, on_interrupt, driver_.get()));
}

usb_stick& usb_machine::stick_of(medium& storage) {
  std::unique_ptr<usb_stick>& stick = sticks_[&storage];
  if (!stick) stick = std::make_unique<usb_stick>(storage, time_);
  return *stick;
}

void usb_machine::watch(medium& storage) {
  controller_.on_step = [&storage](step_kind kind) { storage.step(kind); };
  before_each_mask([&storage](const void* place) {
    if (storage.step(step_kind::mask, place)) probe_all_for(100_ms);  // its event may be lost
  });
}

void usb_machine::end_trouble() {
  controller_.on_step = nullptr;
  before_each_mask(nullptr);
  controller_.hang_command.reset();
  controller_.ignore_commands = false;
  controller_.fail_command = controller_.fail_transfer = {};
  controller_.noise = 0;
  controller_.bouncing = {};
  for (const auto& [storage, stick] : sticks_) {
    stick->meddle = nullptr;
    stick->stop_hanging();
  }
}

void usb_machine::unplug() {
  for (u32 number = 1; number <= hc::controller::ports; ++number)
    if (controller_.occupied(number)) controller_.unplug(number);
}

void usb_machine::check() {
  if (!driver_ || controller_.is_cut_off()) return;
  if (irq_is_masked(chosen_.irq) && !controller_.off_the_bus)
    left_behind("the interrupt line, masked");
  if (const u32 slots = controller_.slots_in_use())
    left_behind(std::to_string(slots) + " slots of the controller");
  for (u32 number = 1; number <= hc::controller::ports; ++number) {
    if (driver_->port(number).occupant) left_behind("a device in port " + std::to_string(number));
    if (driver_->port(number).given_up)
      left_behind("port " + std::to_string(number) + ", given up with nothing plugged in");
  }
}

void usb_machine::port_outlet::connect(medium& storage) {
  usb_stick& stick = machine_.stick_of(storage);
  stick.plug_further_units();
  machine_.controller_.plug(number_, stick);
}

void usb_machine::port_outlet::disconnect(medium& storage) {
  machine_.controller_.unplug(number_);
  machine_.stick_of(storage).pull_further_units();
}

}  // namespace sim
