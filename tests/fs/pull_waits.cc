#include "tests/fs/pull_waits.h"

#include <map>

#include "hal/clock.h"
#include "tests/sim/sleeps.h"

namespace sim {
namespace {

// The places in the block layer at which a task sleeps until a request ends, or is free.
bool is_for_a_request(const void* return_address) {
  static std::map<const void*, bool> known;
  const auto found = known.find(return_address);
  if (found != known.end()) return found->second;
  const std::string place = place_of(return_address);
  bool is = false;
  for (const char* name : {"wait_on_buffer", "block_device::flush", "block_device::get_request"})
    is |= place.find(name) != std::string::npos;
  return known[return_address] = is;
}

}  // namespace

void pull_waits::begin() {
  after_each_sleep([this](const void* place, instant since) { note_return(place, since); });
}

void pull_waits::pulled() {
  end();
  told_.reset();
  expects_event_ = true;
  plugged_ = never;
}

void pull_waits::told() {
  if (!expects_event_) return;  // another stick was pulled
  expects_event_ = false;
  told_ = now();
}

void pull_waits::plugged() {
  expects_event_ = false;
  plugged_ = std::min(plugged_, now());
}

const longest_wait& pull_waits::end() {
  if (wait_) longest_.add({*wait_, 1});
  wait_.reset();
  return longest_;
}

// A sleep that began before the next plug was one on the pulled stick.
void pull_waits::note_return(const void* return_address, instant since) {
  if (!told_ || since >= plugged_ || !is_for_a_request(return_address)) return;
  wait_ = now() - *told_;
}

}  // namespace sim
