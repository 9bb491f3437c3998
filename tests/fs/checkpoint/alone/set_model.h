// A model of one volume's set: what the diagram and the comments of fs/checkpoint/region.h say of
// each slot, kept apart from the code. It is told what happens, and compared with the region.
#pragma once

#include <map>
#include <vector>

#include "fs/checkpoint/volume.h"
#include "tests/fs/checkpoint/alone/told_disk.h"

namespace sim {

struct modelled_slot {
  struct version {
    block_content content;
    u32 stamp;  // of the write that brought it to the medium; 0: none that a flush can prove
  };
  checkpoint::slot_state state = checkpoint::slot_state::held;
  bool base_known = false, refused = false;
  u32 stamp = 0;
  ino_nr owner{};
  bool charged = true;  // to the operation that runs
  std::vector<version> versions;
  block_content content{};

  bool in_flight() const;
  bool full() const;  // a change needs room for one more version
  void tear();        // the medium may hold anything
};

class set_model {
 public:
  explicit set_model(dev_id dev) : dev_(dev) {}

  std::map<u32, modelled_slot> slots;  // by block

  void arrived(u32 caches_lost);
  // A block with `before` becomes `after`; `known`: the medium has `before`.
  void changed(u32 block, const block_content& before, bool known, const block_content& after,
               ino_nr owner);
  void issued(u32 block);
  void rewriting(u32 block);
  // `refused`: by a device that is still there.
  void write_ended(u32 block, bool by_region, bool good, bool sent, bool refused);
  void flush_begun() { stamp_of_flush_ = stamp_; }
  // Returns the slots that it frees.
  void flush_ended(bool good, u32 caches_lost);
  void pulled();
  void replay_begun(u32 caches_lost) {
    caches_lost_ = caches_lost;
    plugged_ = stamp_;
  }
  void replayed();
  void operation_ended();

  u32 charged() const;
  bool nothing_to_prove(u32 caches_lost) const {
    return stamp_ == flushed_ && caches_lost == caches_lost_;
  }
  void expect_same(checkpoint::volume& v) const;
  void expect_slot(u32 block, checkpoint::slot& s) const;

 private:
  void lose(modelled_slot& s);
  void remember(modelled_slot& s);
  void prove(modelled_slot& s) const;

  dev_id dev_;
  u32 stamp_ = 0, plugged_ = 0, flushed_ = 0, stamp_of_flush_ = 0;
  u32 caches_lost_ = 0;
};

}  // namespace sim
