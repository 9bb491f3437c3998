#include "drivers/usb/xhci/attendant.h"

#include <memory>
#include <new>

#include "hal/memory.h"
#include "hal/task.h"
#include "lib/format.h"
#include "lib/guard.h"

namespace xhci {

attendant::attendant(controller& host, root_port& port) : host_(host), port_(port) {
  format(name_, "usb%u-%u", host.number(), port.number());
}

result<attendant*> attendant::make(controller& host, root_port& port) {
  const std::span<byte> pages =
      allocate_pages(static_cast<u32>((sizeof(attendant) + PAGE_SIZE - 1) / PAGE_SIZE));
  if (pages.empty()) return fail(error::enomem);
  attendant* made = new (pages.data()) attendant(host, port);
  at_scope_end give_back([&] {
    std::destroy_at(made);
    free_pages(pages);
  });
  TRY(made->memory_.allocate(host.context_stride()));
  TRY(kernel_task(made->name_.data(), run, made));
  give_back.dismiss();
  return made;
}

bool attendant::serve(bool hot) {
  if (device_) return false;
  port_.occupant = &device_.emplace(host_, port_, port_, hot, memory_);
  wake_up(plugged_);
  return true;
}

void attendant::set_aside(const char* why) {
  usb::remember(unused_,
                {.bus = host_.number(), .port = static_cast<u8>(port_.number()), .unused = why});
}

void attendant::run(void* self) {
  attendant& a = *static_cast<attendant*>(self);
  for (;;) {
    while (!a.device_) sleep_on(a.plugged_);
    a.device_->live();
    if (a.port_.given_up) usb::remember(a.unused_, a.device_->facts);
    a.device_.reset();
    a.host_.look_at_ports();
  }
}

}  // namespace xhci
