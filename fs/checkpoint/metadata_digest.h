// metadata_digest: what the medium has in the bitmaps and the inode table of one file system that
// is mounted for writing, as a hash of each block. Whatever another system does to a file system
// changes one of these blocks, also when it changes none that is held or cached here. (The
// superblock is compared by itself: fs/medium_check.h. Which blocks a mount reads: read_digest.h.)
//
//                  learn_read (the mount), learn_durable
//      unknown ───────────────────────────────────────────▶ known
//         ▲  ◀───────────────────────────────────────────── │
//         │        write_begins, forget_all                 │ write_begins, through another name
//         └────────────────────────▶ given up ◀─────────────┘
//
// A block that is being written is unknown from the begin of the write until a flush has proved it:
// the set says what the medium may have there. Two names of the medium (a partition and the whole
// disk) have slots of their own for the same sectors, and nothing tells in which order they become
// durable; so a block that is written through another name is given up until the next mount.
//
// Nothing here sleeps or asks for memory.
#pragma once

#include <array>
#include <span>

#include "lib/ids.h"
#include "lib/intrusive_list.h"

namespace checkpoint {

class metadata_digest {
 public:
  // The bitmaps and the inode table of the largest file system. What is behind that stays unknown.
  static constexpr u32 MOST_BLOCKS = 8 + 8 + 65535 / 32 + 1;

  list_link<metadata_digest> link;
  using list = intrusive_list<metadata_digest, &metadata_digest::link>;

  metadata_digest() = default;  // knows nothing, and stands in no list
  metadata_digest(const metadata_digest&) = delete;
  metadata_digest& operator=(const metadata_digest&) = delete;
  ~metadata_digest();

  // Enters the list of the volume, which must outlive the digest. `blocks` blocks of `dev`, from
  // `first` on, which begin at `address` on the medium, are unknown then. Called again for the same
  // blocks: they become unknown.
  void begin(list& of_volume, dev_id dev, block_nr first, u32 blocks, lba address);

  dev_id dev() const { return dev_; }
  u32 blocks() const { return blocks_; }
  block_nr block(u32 index) const { return first_ + index; }
  bool is_known(u32 index) const { return known_[index] > GIVEN_UP; }
  // Whether buffers and inodes have nothing to add about a block of this device: it is known; or it
  // was given up, and they do not know what was written through the other name.
  bool answers_for(dev_id dev, block_nr block) const {
    const u32 index = block.value() - first_.value();
    return dev == dev_ && index < blocks_ && known_[index] != UNKNOWN;
  }
  bool matches(u32 index, std::span<const byte, BLOCK_SIZE> medium) const {
    return known_[index] == hash(medium);
  }

  // This content was read from the medium, and no write of it has begun.
  void learn_read(u32 index, std::span<const byte, BLOCK_SIZE> content);
  // To be called for all blocks of the medium. From now on the block of `dev` at this address is
  // being written; it has become durable with this content.
  void write_begins(dev_id dev, lba at) {
    if (overlaps(at)) lose(dev, at);
  }
  void learn_durable(dev_id dev, block_nr block, std::span<const byte, BLOCK_SIZE> content) {
    if (dev == dev_ && block.value() - first_.value() < blocks_) learn(block, content);
  }
  // The medium may have anything.
  void forget_all();

 private:
  // Hashes of blocks are greater than these.
  static constexpr u64 UNKNOWN = 0, GIVEN_UP = 1;
  static u64 hash(std::span<const byte, BLOCK_SIZE> content);

  // Whether the block at this address has a sector of the digest.
  bool overlaps(lba at) const {
    return at.value() + SECTORS_PER_BLOCK - 1 - address_.value() <
           (blocks_ + 1) * SECTORS_PER_BLOCK - 1;
  }
  void lose(dev_id dev, lba at);
  void learn(block_nr block, std::span<const byte, BLOCK_SIZE> content);

  list* list_ = nullptr;
  dev_id dev_;
  block_nr first_;
  lba address_;
  u32 blocks_ = 0;
  std::array<u64, MOST_BLOCKS> known_{};
};

}  // namespace checkpoint
