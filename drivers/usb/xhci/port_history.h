// port_history: what is remembered of a port when its device has gone, also when the controller is
// started again. It decides whether a device in the port is served.
//
// - A device that comes and goes all the time (a loose contact, a stick that is broken) would cost
//   a reset and a new address each time. After `served_freely` such visits in a row, a rest follows
//   each further one. The rest doubles, up to `longest_rest`. A device that stays for some seconds,
//   or a port that is empty for so long, ends the row: the next device is served at once.
// - A device of which the controller has died `most_deaths` times is left alone until it is pulled.
//
// Nothing here sleeps.
#pragma once

#include <algorithm>

#include "lib/time.h"
#include "lib/types.h"

namespace xhci {

class port_history {
 public:
  // A device begins to be served. Returns whether rests begin with this one.
  bool serve(instant time) {
    const bool again = time - std::max(served_, rest_until_) < short_visit;
    visits_ = again ? visits_ + 1 : 1;
    served_ = time;
    if (visits_ == 1) rest_ = shortest_rest;
    if (visits_ < served_freely) return false;
    rest_until_ = time + rest_;
    rest_ = std::min(rest_ + rest_, longest_rest);
    return visits_ == served_freely;
  }
  // The port has no occupant. `empty`: nothing is in it, and nothing has changed.
  void look(bool empty, instant time) {
    if (!empty) last_sign_ = time;
    if (time - last_sign_ < short_visit) return;
    visits_ = 0;
    rest_until_ = {};
  }
  bool rests(instant time) const { return time < rest_until_; }

  void blame() { ++deaths_; }
  bool is_suspect() const { return deaths_ > 0; }
  bool is_left_alone() const { return deaths_ >= most_deaths; }
  // Its device was pulled: the next one is another.
  void forgive() { deaths_ = 0; }

 private:
  static constexpr u32 served_freely = 8, most_deaths = 3;
  static constexpr duration short_visit = 5_s, shortest_rest = 1_s, longest_rest = 32_s;

  u32 visits_ = 0;  // in a row, each of them short
  instant served_{}, rest_until_{}, last_sign_{};
  duration rest_ = shortest_rest;
  u32 deaths_ = 0;
};

}  // namespace xhci
