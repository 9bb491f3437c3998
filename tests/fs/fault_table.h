// The faults of the simulated stick, its medium and its controller that a living machine must get
// over, in one table. fault_sweep_test.cc strikes with each of them while two tasks work.
//
// A fault that tests/sim can make and that is not in this table is noticed: the test
// fault_sweep_itself compares the table with the members under "--- trouble ---" in the headers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>

#include "tests/sim/medium.h"
#include "tests/sim/xhci/machine.h"

namespace sim {

// How often a fault has struck: the device that carries it out did so, and not only the test asked
// for it.
class strikes {
 public:
  void add() { ++made_; }
  // A setting of a device that waits for its moment. `acted` tells whether that has come; it is
  // asked when the setting is made again, and when the faults end.
  void wait_for(const void* setting, std::function<bool()> acted);
  void settle();
  u32 made() const { return made_; }

 private:
  void settle(const void* setting);

  u32 made_ = 0;
  std::map<const void*, std::function<bool()>> waiting_;
};

constexpr u32 stick_port = 1;  // of the stick that a fault strikes, when it is first plugged in

// The machine that a fault strikes.
struct fault_scene {
  usb_machine& machine;
  medium& stick;
  u32 times = 1;  // the fault strikes so many times in a row
  std::shared_ptr<strikes> struck = std::make_shared<strikes>();  // the same in every copy
};

struct fault {
  const char* name;
  // The members of the simulated devices that make it, separated by spaces.
  const char* made_of;
  void (*begin)(fault_scene&);
  // The calls that meet it may fail; without this they must succeed.
  bool calls_may_fail = false;
  // Also at the other stick: a full region gives the
  // error of a stick that refuses its blocks to every writer (fs/checkpoint/operation.cc,
  // reserve_room).
  bool neighbour_may_fail = false;
};

std::span<const fault> all_faults();

// A time that the driver or the checkpoint allows, and a fault that lasts a little less or more.
struct time_limit_case {
  const char* name;
  duration limit, margin;
  void (*begin)(fault_scene&, duration lasts);
  size_t call;  // of fault_sweep_test.cc, that meets it
  // If it lasts longer, and only then: the device is reset, or else a call ends with EIO.
  bool resets_above;
};
std::span<const time_limit_case> all_time_limits();

// Ends what does not end by itself: afterwards stick and controller are sound, and every strike is
// counted.
void end_faults(fault_scene& scene);

// Members that make no fault of a living machine, each with the reason.
struct left_out {
  std::string_view member, reason;
};
std::span<const left_out> faults_left_out();

}  // namespace sim
