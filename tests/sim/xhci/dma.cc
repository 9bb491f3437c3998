#include "tests/sim/xhci/dma.h"

#include <sstream>

namespace sim::hc {

bus_place dma_port::learn(u64 address, u32 length, const char* what) const {
  if (cut_off_) return {address, 0};
  const u64 owner = memory().owner_of(phys_addr{address}, length);
  if (owner == 0) {
    std::ostringstream text;
    text << what << " at 0x" << std::hex << address << " is not the driver's memory";
    complain_(text.str());
  }
  return {address, owner};
}

byte* dma_port::reach(bus_place at, u32 offset, u32 length, const char* what) const {
  if (cut_off_) return nullptr;
  const phys_addr address{at.address + offset};
  if (at.owner != 0 && memory().owner_of(address, length) == at.owner)
    return memory().at(address, length);
  if (at.owner != 0) {  // free memory was complained of by learn()
    std::ostringstream text;
    text << "DMA for " << what << " at 0x" << std::hex << address.value()
         << ", which the driver has given away";
    complain_(text.str());
  }
  return nullptr;
}

}  // namespace sim::hc
