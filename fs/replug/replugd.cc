#include "fs/replug/replugd.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "drivers/block/media_event.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/tombstone.h"
#include "fs/replug/report.h"
#include "fs/replug/verify.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "hal/task.h"

namespace {

using checkpoint::verdict;
using checkpoint::volume;
using checkpoint::volume_state;

constexpr duration REMIND_EVERY = 60_s;

constinit u32 list_changes = 0;  // of all lists together

// Sticks in the order of their arrival; there is room for all that are plugged in. The caller of
// add has taken a reference for the list; after remove or take_first the caller has that reference.
class stick_list {
 public:
  bool empty() const { return count_ == 0; }
  // To be called in each step of a loop that sleeps, as the list changes meanwhile. Such a loop may
  // miss a stick; list_changes tells.
  u32 size() const { return count_; }
  block_device* operator[](u32 index) const { return sticks_[index]; }
  void add(block_device& device) {
    kassert(count_ < sticks_.size());
    sticks_[count_++] = &device;
    ++list_changes;
  }
  // Whether the stick was in the list.
  bool remove(block_device& device) {
    const auto end = std::remove(sticks_.begin(), sticks_.begin() + count_, &device);
    ++list_changes;
    return std::exchange(count_, static_cast<u32>(end - sticks_.begin())) != count_;
  }
  block_device* take_first() {
    block_device* first = empty() ? nullptr : sticks_[0];
    if (first) remove(*first);
    return first;
  }

 private:
  std::array<block_device*, MAX_MEDIA> sticks_{};
  u32 count_ = 0;
};

constinit stick_list arrivals{};  // the task has not handled them yet
constinit stick_list nameless{};  // plugged in without a name: alike to the byte, refused before
                                  // another stick was, cannot be read or written, or no name was
                                  // free
constinit wait_queue work{};

void arrived(block_device& device) {
  device.hold();
  arrivals.add(device);
  wake_up(work);
}

void keep_nameless(block_device& device) {
  if (device.gone()) return;
  device.hold();
  nameless.add(device);
}

// A stick was pulled, or a volume came back, was given up or released: the nameless sticks are
// handled as arrivals once more, as a twin may be alone now, or a name free.
void look_again_at_nameless() {
  while (block_device* stick = nameless.take_first()) {
    arrived(*stick);
    stick->drop();
  }
}

void left(block_device& device) {
  if (arrivals.remove(device)) device.drop();
  if (nameless.remove(device)) device.drop();
  for (volume& v : checkpoint::all_volumes()) {
    if (v.refused == &device) checkpoint::refused_left(v);
    if (v.state == volume_state::live && v.device == &device) checkpoint::pulled(v);
  }
  look_again_at_nameless();
  wake_up(work);
}

void discard_disk(dev_id disk) {
  discard_buffers(disk);
  look_again_at_nameless();
}

// Verifies the stick for a volume whose state is `verify`, and adds the verdict to the story. An
// error means no verdict.
result<verdict> look_at(const volume& v, block_device& device) {
  const result<verdict> outcome = checkpoint::verify(v, device);
  if (outcome) story::tell_stick(story::event::verified, v.disk, static_cast<u32>(*outcome));
  return outcome;
}

// Whether another stick that is plugged in or has just arrived is verified as the missing one too.
// Then neither of the two is written to, as nothing tells which is the right one (row 7).
bool find_twin(volume& v, const block_device& device, const partition_table& partitions) {
  const auto is_twin = [&](block_device* other) {
    if (!other || other == &device || other->gone()) return false;
    if (!checkpoint::may_be(v, *other, partitions)) return false;
    other->hold();
    const result<verdict> outcome = look_at(v, *other);
    const bool is_here = !other->gone();  // one that has left will not call this stick again
    other->drop();
    return is_here && outcome && *outcome == verdict::same;
  };
  for (const stick_list* list : {&nameless, &arrivals})
    for (u32 i = 0; i < list->size(); ++i)
      if (is_twin((*list)[i])) return true;
  for (const volume& named : checkpoint::all_volumes())
    if (named.state == volume_state::live && is_twin(named.device)) return true;
  return false;
}

// Looks until it has seen all lists without a change: find_twin sleeps, and meanwhile sticks leave
// the lists, and go from one to the other.
bool has_twin(volume& v, const block_device& device, const partition_table& partitions) {
  for (;;) {
    const u32 before = list_changes;
    if (find_twin(v, device, partitions)) return true;
    if (list_changes == before) return false;
  }
}

void refuse_twin(volume& v, block_device& device) {
  printk("Two sticks claim to be %s and are alike: neither is written to. Pull one\n",
         disk_name(v.disk).data());
  keep_nameless(device);
}

void refuse(volume& v, block_device& device) {
  if (v.refused) keep_nameless(*v.refused);
  checkpoint::refused(v, device);
  if (v.state == volume_state::conflict) checkpoint::report_conflict(v, device);
}

// Writes the held blocks to the stick and reports the return.
result<void> replay_to(volume& v, block_device& device) {
  const checkpoint::replay_summary summary = TRY(checkpoint::replay(v, device));
  checkpoint::report_return(v, summary.blocks, summary.took);
  look_again_at_nameless();
  return {};
}

// The stick is the missing one, unchanged: replays to it, unless it is write-protected or has a
// twin. A stick to which our blocks cannot be written is looked at again when they are given up.
void take_back(volume& v, block_device& device, const partition_table& partitions) {
  const bool locked = device.write_protected && checkpoint::held_blocks(v) > 0;
  if (!locked && has_twin(v, device, partitions)) return refuse_twin(v, device);
  if ((!locked && replay_to(v, device)) || device.gone()) return;
  printk(locked ? "%s is write-protected: unlock it and plug it again\n"
                : "%s: the stick refuses our blocks (write error); they are kept\n",
         disk_name(v.disk).data());
  keep_nameless(device);
}

// Reports a stick that has the missing one's serial number and cannot be it, as may_be() said.
void tell_lookalike(const volume& v, const block_device& device) {
  if (device.identity.serial != v.identity.serial) return;
  const bool other_size = device.identity.sectors != v.identity.sectors;
  checkpoint::report_stranger(v, device, other_size ? "capacity differs" : "description differs");
}

// The first missing volume whose stick this is, changed elsewhere. Its state stays `verify` until
// the stick has been compared with the other missing volumes too: one may match unchanged.
struct changed_elsewhere {
  volume* which = nullptr;
  std::optional<checkpoint::verification> verifying;
};

enum class finding : u8 {
  undecided,  // compare with the next missing volume
  settled,    // nothing more is to be done with the stick
};

// Compares the stick with one missing volume. Settled: it was taken back, or it cannot be read.
finding compare_with(volume& v, block_device& device, const partition_table& partitions,
                     changed_elsewhere& changed) {
  checkpoint::verification verifying(v);
  const result<verdict> outcome = look_at(v, device);
  if (!outcome) {  // the stick cannot be read
    keep_nameless(device);
    return finding::settled;
  }
  switch (*outcome) {
    case verdict::same: take_back(v, device, partitions); return finding::settled;
    case verdict::different: checkpoint::report_stranger(v, device, "content differs"); break;
    case verdict::modified:
      if (changed.which) break;
      changed.which = &v;
      changed.verifying.emplace(std::move(verifying));
      break;
  }
  return finding::undecided;
}

// Compares the stick with every missing volume. True: the stick is settled, as it is one of them,
// or one of them changed elsewhere and refused, or could not be read, or was pulled. False: it is a
// new stick.
bool settle_return(block_device& device, const partition_table& partitions) {
  changed_elsewhere changed;
  for (volume& v : checkpoint::all_volumes()) {
    if (!checkpoint::is_missing(v)) continue;
    if (!checkpoint::may_be(v, device, partitions))
      tell_lookalike(v, device);
    else if (compare_with(v, device, partitions, changed) == finding::settled)
      return true;
  }
  if (device.gone()) return true;  // left() has run already: no reference to it may be stored
  if (changed.which) refuse(*changed.which, device);
  return changed.which != nullptr;
}

void announce(const volume& v) {
  printk("%s: \"%s\", %u KiB\n", disk_name(v.disk).data(), volume_name(v).data(),
         v.identity.sectors / SECTORS_PER_BLOCK);
  if (const u32 lost = checkpoint::buried_blocks(v.identity))
    printk("%s: it was given up with %u blocks unwritten: check it with fsck\n",
           disk_name(v.disk).data(), lost);
}

void look_at_arrival(block_device& device) {
  const result<partition_table> partitions =
      read_partitions(device, checkpoint::verify_memory().first(BLOCK_SIZE));
  if (!partitions) {
    if (!device.gone()) printk("A stick cannot be read: it gets no name\n");
    return;
  }
  if (settle_return(device, *partitions) || device.gone()) return;
  if (const volume* v = checkpoint::arrived(device, *partitions)) return announce(*v);
  printk("No name is free for another stick\n");
  keep_nameless(device);
}

// Reports missing sticks and gives up those whose `hold` is over. Expiry and return cannot race:
// this one task handles both.
void look_at_clock() {
  for (volume& v : checkpoint::all_volumes()) {
    if (!checkpoint::is_missing(v)) continue;
    if (now() >= checkpoint::expires_at(v)) {
      checkpoint::expired(v);
    } else if (now() >= v.remind_at) {
      checkpoint::report_missed(v);
      v.remind_at = checkpoint::has_unfinished_work(v) ? v.remind_at + REMIND_EVERY : never;
    }
  }
}

instant next_event() {
  instant next = never;
  for (const volume& v : checkpoint::all_volumes())
    if (checkpoint::is_missing(v)) next = std::min({next, v.remind_at, checkpoint::expires_at(v)});
  return next;
}

void replugd(void*) {
  for (;;) {
    while (block_device* device = arrivals.take_first()) {
      look_at_arrival(*device);
      device->drop();
    }
    look_at_clock();
    if (arrivals.empty()) sleep_on(work, next_event());
  }
}

}  // namespace

void replugd_init() {
  checkpoint::set_listener({.make_room = flush_buffers,
                            .let_go = let_go_of_buffers,
                            .discard = discard_disk,
                            .tell_loss = checkpoint::report_loss});
  set_media_listener({arrived, left});
  checkpoint::reserve_verify_memory();
  kassert(kernel_task("replugd", replugd, nullptr));
}

namespace checkpoint {

void times_changed() { wake_up(work); }

result<void> drop_volume(volume& v) {
  if (!is_missing(v)) return fail(error::ebusy);
  dropped(v);
  return {};
}

result<void> force_volume(volume& v) {
  if (!is_missing(v)) return fail(error::ebusy);
  if (!v.refused) return fail(error::enomedium);
  block_device& device = take_refused(v);
  const result<void> outcome = replay_to(v, device);
  if (outcome) printk("%s: forced; check it with fsck\n", disk_name(v.disk).data());
  if (!outcome && !device.gone()) media_arrived(device);  // still plugged in: it is looked at again
  device.drop();
  return outcome;
}

}  // namespace checkpoint
