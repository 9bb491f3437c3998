// The closing audit of the checkpoint and of the names of disks (tests/sim/audit.h).
#include "drivers/block/genhd.h"
#include "fs/checkpoint/volume.h"
#include "tests/sim/audit.h"

namespace sim {
namespace {

using checkpoint::volume;

class region_audit final : public audited {
  void unmount() override {
    for (volume& v : checkpoint::all_volumes()) {
      checkpoint::wait_while_replayed(v);
      if (checkpoint::is_missing(v)) checkpoint::dropped(v);
    }
  }

  void give_up() override {
    for (volume& v : checkpoint::all_volumes())
      if (checkpoint::is_missing(v)) checkpoint::dropped(v);
  }

  void check() override {
    checkpoint::check_region_invariants();
    if (const u32 kept = checkpoint::region_size() - checkpoint::unreserved())
      left_behind(std::to_string(kept) + " slots of the region, or reservations of them");
    for (u8 i = 0; i < NR_DISKS; ++i)
      check_disk(dev_id(MAJOR_DISK, static_cast<u8>(i * MINORS_PER_DISK)));
  }

  static void check_disk(dev_id disk) {
    const std::string name = disk_name(disk).data();
    const volume& v = checkpoint::volumes[disk.minor() / MINORS_PER_DISK];
    if (v.state != checkpoint::volume_state::none) left_behind("the volume " + name);
    if (v.operations) left_behind(std::to_string(v.operations) + " operations on " + name);
    if (v.uses) left_behind(std::to_string(v.uses) + " uses of " + name);
    if (v.refused) left_behind("a refused stick of " + name);
    if (v.writing_slots) left_behind("a writer of the set of " + name);
    if (!v.set.empty()) left_behind("held blocks of " + name);
    if (disk_of(disk)->taken) left_behind("the name " + name);
  }
};
region_audit the_region;

}  // namespace
}  // namespace sim
