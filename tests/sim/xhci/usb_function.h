// A USB device as it is seen on the wire: packets and handshakes.
#pragma once

#include <array>
#include <bitset>
#include <functional>
#include <span>
#include <vector>

#include "lib/types.h"

namespace sim {

enum class handshake : u8 { ack, nak, stall };

// The answer to an IN token.
struct packet {
  handshake answer = handshake::nak;
  std::vector<byte> data;
};

enum class bus_speed : u8 { full = 1, low = 2, high = 3, super = 4 };

class usb_function {
 public:
  virtual ~usb_function() = default;

  virtual void attached(bus_speed speed) = 0;
  virtual void bus_reset() = 0;
  virtual void set_address(u8 address) = 0;
  virtual u8 address() const = 0;
  virtual void setup(const std::array<u8, 8>& request) = 0;  // never refused
  virtual handshake out(u8 endpoint, std::span<const byte> data) = 0;
  virtual packet in(u8 endpoint, u32 most) = 0;

  // Called when an endpoint that has answered with nak may give another answer.
  std::function<void()> ready;
  // DATA0 or DATA1 of the next packet, by device context index.
  std::bitset<32> toggles;
  // What its endpoint descriptors tell, by device context index.
  std::array<u32, 32> packet_sizes{}, bursts{};
  bool full_speed = false, low_speed = false;  // in a port of USB 2
};

}  // namespace sim
