#include "fs/checkpoint/operation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/settings.h"
#include "fs/checkpoint/volume.h"
#include "hal/clock.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

constinit intrusive_list<operation, &operation::link> operations{};

bool is_plugged_in(const checkpoint::volume& v) {
  return checkpoint::has_device(v) && !checkpoint::away(v);
}

// The live volumes whose flush frees no slot, as their sticks refuse blocks.
using refusing_volumes = std::array<bool, NR_DISKS>;

bool& is_refusing(refusing_volumes& refusing, const checkpoint::volume& v) {
  return refusing[v.disk.minor() / MINORS_PER_DISK];
}

// A volume that is absent, or whose stick refuses its blocks, leaves room for the others: as much
// as it holds itself, or an eighth of the region.
bool is_within_share(const checkpoint::volume& v, u32 blocks) {
  const u32 enough = std::max(checkpoint::region_size() / 8, 2 * OPERATION_BLOCKS);
  return std::min(checkpoint::held_blocks(v) + blocks, enough) <= checkpoint::unreserved();
}

// The live volume whose flush makes room for `v`: itself, when its share is used up; otherwise the
// one with the largest set, as its flush frees the most slots. Null when only `refusing` ones hold
// slots.
checkpoint::volume* fullest_live_volume(checkpoint::volume& v, refusing_volumes& refusing) {
  const auto can_make_room = [&](const checkpoint::volume& other) {
    return is_plugged_in(other) && !other.set.empty() && !is_refusing(refusing, other);
  };
  if (can_make_room(v)) return &v;
  checkpoint::volume* fullest = nullptr;
  for (checkpoint::volume& other : checkpoint::all_volumes())
    if (can_make_room(other) && (!fullest || other.set.size() > fullest->set.size()))
      fullest = &other;
  return fullest;
}

// Rule 1: promises `blocks` slots for `v` to `room`. If its share of the region is used up, flushes
// it, or another live volume; if that frees none (only absent volumes hold slots), sleeps until
// slots become free, interruptibly and at most io_wait. A stick that refuses its blocks is passed
// over. Errors: eintr, eio, and that of the volume's own stick when no other volume can make room.
result<void> reserve_room(checkpoint::volume& v, checkpoint::reservation& room, u32 blocks) {
  const auto granted = [&] { return is_within_share(v, blocks) && room.grant(blocks); };
  if (granted()) return {};
  const instant deadline = now() + checkpoint::current_settings().io_wait;
  refusing_volumes refusing{};
  result<void> refusal{};  // of its own stick
  do {
    if (checkpoint::volume* const fullest = fullest_live_volume(v, refusing)) {
      const u32 before = checkpoint::unreserved();
      const result<void> flushed = checkpoint::upward().make_room(fullest->disk);
      // Pulled meanwhile: the flush of another volume may make room.
      if (checkpoint::unreserved() > before || !is_plugged_in(*fullest)) continue;
      if (!flushed && flushed.error() != error::enodev) {
        is_refusing(refusing, *fullest) = true;
        if (fullest == &v) refusal = flushed;
        continue;
      }
    } else if (!refusal) {
      return refusal;
    }
    switch (interruptible_sleep_on(checkpoint::room_made(), deadline)) {
      case wake_reason::signalled: return fail(error::eintr);
      case wake_reason::timed_out: return fail(error::eio);
      case wake_reason::woken: break;
    }
  } while (!granted());
  return {};
}

// The volume of a device; null for a device that cannot be pulled. Errors: absent; eio when it was
// given up; erofs when its medium is write-protected.
result<checkpoint::volume*> writable_volume(dev_id dev) {
  checkpoint::volume* v = checkpoint::volume_of(dev);
  if (!v) return nullptr;
  if (v->state == checkpoint::volume_state::dead) return fail(error::eio);
  if (checkpoint::away(*v)) return fail(error::absent);
  if (v->device->write_protected) return fail(error::erofs);
  return v;
}

}  // namespace

operation::operation(key, dev_id dev, operation* outer)
    : dev_(dev),
      task_(current_task()),
      outer_(outer),
      shadowed_(outer ? outer->shadowed_ : nullptr) {
  operations.push_front(*this);  // so current() finds the innermost first
}

operation::operation(key, dev_id dev, checkpoint::volume& v, checkpoint::reservation&& room)
    : dev_(dev),
      task_(current_task()),
      shadowed_(checkpoint::shadows_enabled() ? &v : nullptr),
      use_(v),
      volume_(&v),
      room_(std::move(room)) {
  operations.push_front(*this);
  ++v.operations;
}

operation::operation(operation&& other) noexcept
    : dev_(other.dev_),
      owner_(other.owner_),
      noted_(other.noted_),
      task_(other.task_),
      outer_(other.outer_),
      in_a_change_(other.in_a_change_),
      shadowed_(other.shadowed_),
      use_(std::move(other.use_)),
      volume_(std::exchange(other.volume_, nullptr)),
      room_(std::move(other.room_)) {
  operations.replace(other, *this);
}

operation::~operation() {
  if (!link.linked()) return;  // moved from
  operations.remove(*this);
  if (volume_) --volume_->operations;  // then use_ ends
}

operation* operation::current(dev_id dev) {
  const dev_id disk = whole_disk(dev);
  for (operation& op : operations)
    if (op.task_ == current_task() && whole_disk(op.dev_) == disk) return &op;
  return nullptr;
}

result<operation> operation::begin(dev_id dev) {
  may_sleep();
  if (operation* outer = current(dev)) return result<operation>(std::in_place, key{}, dev, outer);
  if (!checkpoint::volume_of(dev)) TRY(resolve(dev));
  checkpoint::volume* v = TRY(writable_volume(dev));
  if (!v) return result<operation>(std::in_place, key{}, dev, nullptr);
  checkpoint::reservation room;
  if (checkpoint::shadows_enabled()) TRY(reserve_room(*v, room, OPERATION_BLOCKS));
  const auto still = writable_volume(dev);  // reserving may have slept
  if (!still || *still != v) return fail(still ? error::eio : still.error());
  return result<operation>(std::in_place, key{}, dev, *v, std::move(room));
}

void operation::note_file(ino_nr inode, checkpoint::noted_path& path) {
  noted_ = inode;
  if (shadowed_) shadowed_->files.add(dev_, inode, path);
}

checkpoint::reservation& operation::room() {
  operation* outermost = this;
  while (outermost->outer_) outermost = outermost->outer_;
  return outermost->room_;
}
