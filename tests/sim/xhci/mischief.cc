#include "tests/sim/xhci/mischief.h"

#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/machine.h"

namespace sim {

namespace {

constexpr u32 good_answers_after_a_bad_one = 3;

bool strikes(u32 one_of) { return one_of != 0 && random_below(one_of) == 0; }

void answer_badly(usb_stick::answer& a) {
  switch (random_below(4)) {
    case 0: a.late = duration{static_cast<i64>(random_below(1'000'000'000))}; break;
    case 1: a.status_twice = true; break;
    case 2: {  // the device tells what it leaves out
      const size_t left_out = a.data.size() / 2;
      a.data.erase(a.data.end() - static_cast<std::ptrdiff_t>(left_out), a.data.end());
      a.residue += static_cast<u32>(left_out);
      break;
    }
    default: (random_below(2) ? a.wrong_tag : a.wrong_signature) = true;
  }
}

}  // namespace

void begin_mischief(usb_machine& machine, medium& stick, const mischief& how) {
  machine.controller().noise = how.packets;
  if (how.answers == 0) return;
  machine.stick_of(stick).meddle = [one_of = how.answers, good = 0u](u8,
                                                                     usb_stick::answer& a) mutable {
    if (good > 0)
      --good;
    else if (strikes(one_of))
      answer_badly(a), good = good_answers_after_a_bad_one;
  };
}

void disturb_plug(usb_machine& machine, u32 port, const mischief& how) {
  hc::controller& hardware = machine.controller();
  hardware.bouncing = strikes(how.plugs) ? 300_ms : 0_ms;
  hardware.fail_resets(port, strikes(how.plugs) ? 1 : 0);
  if (port > hc::controller::super_ports || !strikes(how.plugs)) return;
  hardware.train_as(port, random_below(2) ? hc::controller::training::compliance
                                          : hc::controller::training::cold_attach);
}

}  // namespace sim
