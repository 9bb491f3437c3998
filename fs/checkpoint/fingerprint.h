// fingerprint: what a medium has at a few fixed places: the sector of the partition table, that of
// a superblock, and six between there and the end. It is read when the stick gets its name, and
// kept up to date by what becomes durable. So a stick that comes back can be told from another one
// of the same model, also when all its blocks were overwritten without being read. Nothing here
// sleeps.
#pragma once

#include <array>
#include <span>

#include "drivers/block/genhd.h"
#include "lib/ids.h"

namespace checkpoint {

// Whether a sector or block has anything to tell one medium from another: not one that is all zeros
// or all ones, as an empty medium is.
bool is_distinctive(std::span<const byte> content);

class fingerprint {
 public:
  static constexpr u32 PLACES = 8;

  fingerprint() = default;  // knows nothing
  // The places of a medium with so many sectors; their content is not known yet.
  explicit fingerprint(u32 sectors);

  lba place(u32 index) const { return places_[index].at; }
  bool is_known(u32 index) const { return places_[index].known; }
  // The medium has this content there.
  void learn(u32 index, std::span<const byte, SECTOR_SIZE> content);
  bool matches(u32 index, std::span<const byte, SECTOR_SIZE> content) const;

  // Nothing that is known of both differs.
  bool agrees_with(const fingerprint& other) const;

  // From now on the block at this address is written through this name of the medium. A place that
  // is written through two names is given up: nothing tells which of the writes is the later one.
  void write_begins(dev_id dev, lba at) {
    if (may_have_place_in(at)) note_writer(dev, at);
  }
  // The block at this address of the medium has become durable with this content; or nothing tells
  // what it is now.
  void learn_block(lba at, std::span<const byte, BLOCK_SIZE> content) {
    if (may_have_place_in(at)) learn_places_in(at, content);
  }
  void forget_block(lba at);

 private:
  struct known_sector {
    lba at;
    bool known = false;
    bool given_up = false;
    dev_id writer;  // the name through which it was written
    u64 hash = 0;
  };
  // One bit for each place: most blocks that become durable are turned away by it.
  static u32 sieve_bit(lba at) { return 1u << (at.value() + 1) / SECTORS_PER_BLOCK % 32; }
  bool may_have_place_in(lba at) const { return sieve_ & sieve_bit(at); }
  void note_writer(dev_id dev, lba at);
  void learn_places_in(lba at, std::span<const byte, BLOCK_SIZE> content);

  std::array<known_sector, PLACES> places_{};
  u32 sieve_ = 0;
};

}  // namespace checkpoint
