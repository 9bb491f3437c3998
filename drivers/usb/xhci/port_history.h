// port_history: what is remembered of a port when its device has gone, also when the controller is
// started again. It decides whether a device in the port is served.
//
// - A device that comes and goes all the time and is never of use (a loose contact, a stick that is
//   broken) would cost a reset and a new address each time; and if its pulls cost the controller
//   its life, no other device would be of use. A visit is short when it ends within `short_visit`,
//   and no class driver has used the device or the controller has died at the pull. After
//   `served_freely` short visits in a row, the port has a rest after each further one. The rest
//   doubles, up to `longest_rest`. Any other visit ends the row.
// - A device of which the controller has died `first_most_deaths` times is left alone until it is
//   pulled. It may be innocent: the blame falls on the device that was at work. So it is acquitted
//   when the controller goes on dying although it is left alone. Then it takes twice as many deaths
//   to be left alone once more.
// - A port that is empty for `long_empty` is forgiven everything.
//
// Nothing here sleeps.
#pragma once

#include <algorithm>

#include "lib/time.h"
#include "lib/types.h"

namespace xhci {

class port_history {
 public:
  // A device that has been in the port for so long is gone. `used`: a class driver has used it.
  // Returns whether rests begin with this visit.
  bool end_visit(duration length, bool used, instant time) {
    if (used || length > short_visit) {
      end_row();
      return false;
    }
    if (++visits_ < served_freely) return false;
    rest_until_ = time + rest_;
    rest_ = std::min(rest_ + rest_, longest_rest);
    return visits_ == served_freely;
  }
  bool rests(instant time) const { return time < rest_until_; }

  // `empty`: nothing is in the port, and nothing has changed.
  void look(bool empty, instant time) {
    if (!empty) last_sign_ = time;
    if (time - last_sign_ < long_empty) return;
    end_row();
    note_pull();
  }

  // The device was pulled: the next one is another one.
  void note_pull() {
    forgive();
    most_deaths_ = first_most_deaths;
  }

  void blame() { ++deaths_; }
  bool is_left_alone() const { return deaths_ >= most_deaths_; }
  void forgive() { deaths_ = 0; }
  // Nothing for a device that is not left alone.
  void acquit() {
    if (!is_left_alone()) return;
    forgive();
    most_deaths_ = std::min(most_deaths_ + most_deaths_, last_most_deaths);
  }
  bool was_acquitted() const { return most_deaths_ > first_most_deaths; }

 private:
  static constexpr u32 served_freely = 8, first_most_deaths = 3, last_most_deaths = 24;
  static constexpr duration short_visit = 5_s, long_empty = 5_s;
  static constexpr duration shortest_rest = 1_s, longest_rest = 32_s;

  void end_row() {
    visits_ = 0;
    rest_ = shortest_rest;
    rest_until_ = {};
  }

  u32 visits_ = 0;  // short ones, in a row
  instant rest_until_{}, last_sign_{};
  duration rest_ = shortest_rest;
  u32 deaths_ = 0, most_deaths_ = first_most_deaths;
};

}  // namespace xhci
