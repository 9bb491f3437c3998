// A computer with an xHCI controller, for tests: the model of the controller, its memory-mapped
// window, the product's driver, and ports for media.
//
//   sim::usb_machine machine({.large_contexts = true});
//   sim::medium stick(mkfs_minix(200));
//   world.run([&] {
//     boot_with_root();
//     machine.power_on();                       // inside a world, once
//     stick.plug(machine.port(1));
//     …
//   });
//
// power_on() does what usb_init does for a controller on the PCI bus: it reserves memory and tasks
// and starts the driver. All code from there on is the product's.
#pragma once

#include <map>
#include <memory>

#include "drivers/usb/xhci/controller.h"
#include "tests/sim/audit.h"
#include "tests/sim/xhci/controller.h"
#include "tests/sim/xhci/stick.h"

namespace sim {

class usb_machine final : public audited {
 public:
  explicit usb_machine(const hc::controller_settings& chosen = {});

  void power_on();
  // The hardware alone: the test starts a driver.
  void switch_on() { time_.start(); }
  outlet& port(u32 number) { return outlets_[number - 1]; }
  hc::controller& controller() { return controller_; }
  xhci::controller& driver() { return *driver_; }
  usb_stick& stick_of(medium& storage);
  // The controller's steps count as steps of this medium, whose pulls are planned.
  void watch(medium& storage);

 private:
  class port_outlet final : public outlet {
   public:
    port_outlet(usb_machine& machine, u32 number) : machine_(machine), number_(number) {}
    void connect(medium& storage) override;
    void disconnect(medium& storage) override;

   private:
    usb_machine& machine_;
    u32 number_;
  };

  // The closing audit.
  void end_trouble() override;
  void unplug() override;
  void check() override;

  hc::controller_settings chosen_;
  timeline time_;
  hc::controller controller_;
  mmio_region window_;
  std::array<port_outlet, hc::controller::ports> outlets_;
  std::map<medium*, std::unique_ptr<usb_stick>> sticks_;
  std::unique_ptr<xhci::controller> driver_;
};

}  // namespace sim
