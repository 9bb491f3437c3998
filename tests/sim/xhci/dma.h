// The simulated memory as a bus master reaches it. Each place that the driver gives to the
// controller is noted with the allocation that it belongs to. An access to memory that is free, or
// that belongs to another allocation by now, is a violation and moves nothing.
#pragma once

#include <cstring>
#include <functional>
#include <string>

#include "tests/sim/memory.h"

namespace sim::hc {

// A place that the driver has told the controller of.
struct bus_place {
  u64 address = 0;
  u64 owner = 0;
  explicit operator bool() const { return address != 0; }
};

class dma_port {
 public:
  explicit dma_port(std::function<void(const std::string&)> complain)
      : complain_(std::move(complain)) {}

  // From now on no access reaches the memory.
  void cut_off() { cut_off_ = true; }
  void restore() { cut_off_ = false; }
  bool is_cut_off() const { return cut_off_; }

  // Notes the allocation that the place belongs to now.
  bus_place learn(u64 address, u32 length, const char* what) const;
  // The memory, or null after a complaint.
  byte* reach(bus_place at, u32 offset, u32 length, const char* what) const;

  template <class T>
  T read(bus_place at, u32 offset, const char* what) const {
    T value{};
    if (const byte* from = reach(at, offset, sizeof(T), what)) std::memcpy(&value, from, sizeof(T));
    return value;
  }
  template <class T>
  void write(bus_place at, u32 offset, const T& value, const char* what) const {
    if (byte* to = reach(at, offset, sizeof(T), what)) std::memcpy(to, &value, sizeof(T));
  }

 private:
  std::function<void(const std::string&)> complain_;
  bool cut_off_ = false;
};

}  // namespace sim::hc
