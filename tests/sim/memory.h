// The simulated machine's memory: pages, and what a device finds at a bus address.
//
// Free memory is poisoned: AddressSanitizer reports every access to it, and every access behind the
// end of an allocated piece.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lib/ids.h"
#include "lib/types.h"

namespace sim {

class physical_memory {
 public:
  explicit physical_memory(u32 pages);
  ~physical_memory();
  physical_memory(const physical_memory&) = delete;
  physical_memory& operator=(const physical_memory&) = delete;

  // `size` zeroed bytes on pages of their own, with an unused page behind them; empty when there is
  // no memory.
  std::span<byte> allocate(size_t size, size_t alignment);
  void free(std::span<byte> piece);

  // The pieces that are given out and do not belong to the machine for ever, in words.
  std::vector<std::string> not_given_back() const;

  phys_addr address_of(const void* at) const;
  // Null when [address, address + length) is not inside one allocated piece.
  byte* at(phys_addr address, u32 length) const;
  // A number for the allocation that the memory belongs to, another for each allocation; 0: it is
  // free. So a device notices that memory which it was told of has been freed meanwhile.
  u64 owner_of(phys_addr address, u32 length) const;

  u32 pages_free() const { return pages_ - used_; }
  u32 pages() const { return pages_; }

  // Makes allocations fail: all from now on, or only the n-th from now on (1: the next).
  void refuse_all() { first_refused_ = asked_ + 1, last_refused_ = ~u64{0}; }
  void refuse_one(u64 nth) { first_refused_ = last_refused_ = asked_ + nth; }
  void refuse_none() { first_refused_ = ~u64{0}; }
  // The number of allocations that have failed for these reasons.
  u32 refused() const { return refused_; }

 private:
  friend class kept_memory;

  struct given_out {
    size_t size;
    u64 owner;
    bool kept;
  };
  std::map<size_t, given_out> pieces_;  // by offset: what is given out
  u32 keeping_ = 0;
  u64 owners_ = 0;
  u64 asked_ = 0;  // allocations, also those that failed
  u64 first_refused_ = ~u64{0}, last_refused_ = 0;
  u32 refused_ = 0;
  u32 pages_;
  u32 used_ = 0;
};

// The memory of the world that runs now.
physical_memory& memory();

// What is allocated during its lifetime belongs to the machine for ever: the boot.
class [[nodiscard]] kept_memory {
 public:
  kept_memory() { ++memory().keeping_; }
  ~kept_memory() { --memory().keeping_; }
  kept_memory(const kept_memory&) = delete;
  kept_memory& operator=(const kept_memory&) = delete;
};

}  // namespace sim
