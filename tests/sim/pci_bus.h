// A PC's PCI buses as they are reached through the ports 0CF8h and 0CFCh (PCI 3.0, 3.2.2.3.2):
// configuration space of 256 bytes for each function, with base address registers that tell their
// size.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/port_io.h"

namespace sim {

class pci_bus final : public port_model {
 public:
  class function {
   public:
    // A register of 1, 2 or 4 bytes as it reads after power-on.
    function& set(u8 offset, u32 value, u32 width = 4);
    // Base address register `index`: `size` bytes (a power of two), at `address`.
    function& bar(u8 index, u64 address, u64 size, u32 flags = 0);
    u32 read(u8 offset, u32 width) const;

    // The values written to the command register, and to registers that are no base address.
    std::vector<u32> commands;
    std::vector<std::pair<u8, u32>> others;
    // Whether its memory was decoded while a base address register held another value.
    bool decoded_while_sized = false;

   private:
    friend class pci_bus;
    void write(u8 offset, u32 width, u32 value);
    std::array<u8, 256> bytes_{};
    std::map<u8, u32> keeps_;  // of a base address register: the bits that can be written
    std::map<u8, u32> first_value_;
  };

  pci_bus() { attach_ports(*this); }
  ~pci_bus() override { detach_ports(); }
  pci_bus(const pci_bus&) = delete;
  pci_bus& operator=(const pci_bus&) = delete;

  function& add(u8 bus, u8 device, u8 number, u16 vendor, u16 id, u32 class_code);
  u32 reads() const { return reads_; }

  u32 in(io_port port, u32 width) override;
  void out(io_port port, u32 width, u32 value) override;

 private:
  function* selected();
  std::map<u32, function> functions_;  // by the address in 0CF8h
  u32 address_ = 0, reads_ = 0;
};

}  // namespace sim
