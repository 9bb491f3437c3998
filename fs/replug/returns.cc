#include "fs/replug/returns.h"

#include <optional>
#include <utility>

#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/story.h"
#include "fs/replug/guests.h"
#include "fs/replug/report.h"
#include "fs/replug/verify.h"
#include "hal/log.h"

namespace checkpoint {

namespace {

// Verifies the stick for a volume whose state is `verify`, and adds the verdict to the story. An
// error means no verdict.
result<verdict> look_at(const volume& v, block_device& device) {
  const result<verdict> outcome = verify(v, device);
  if (outcome) story::tell_stick(story::event::verified, v.disk, static_cast<u32>(*outcome));
  return outcome;
}

// Whether another stick that is plugged in is verified as the missing one too. Then neither of the
// two is written to, as nothing tells which is the right one (row 7).
bool find_twin(volume& v, const block_device& device) {
  const auto is_twin = [&](block_device* other) {
    if (!other || other == &device || other->gone()) return false;
    if (!may_be(v, *other)) return false;
    other->hold();
    const result<verdict> outcome = look_at(v, *other);
    const bool is_here = !other->gone();  // one that has left will not call this stick again
    other->drop();
    return is_here && outcome && *outcome == verdict::same;
  };
  for (u32 i = 0; i < nr_guests(); ++i)
    if (is_twin(guest_at(i))) return true;
  for (const volume& named : all_volumes())
    if (has_device(named) && is_twin(named.device)) return true;
  return false;
}

// Looks until it has seen all guests without a change: find_twin sleeps, and meanwhile sticks come
// and go.
bool has_twin(volume& v, const block_device& device) {
  for (;;) {
    const u32 before = guest_changes();
    if (find_twin(v, device)) return true;
    if (guest_changes() == before) return false;
  }
}

// The stick is the missing one, unchanged: replays to it, unless it is write-protected or has a
// twin.
place take_back(volume& v, block_device& device) {
  if (device.gone()) return place::waits;
  const bool locked = device.write_protected && held_blocks(v) > 0;
  if (locked) {
    hindered(v, device, obstacle::write_protected);
    report_hindrance(v);
    return place::waits;
  }
  const bool twin = has_twin(v, device);
  if (device.gone()) return place::waits;  // the twin may be this very stick, plugged in again
  if (twin) {
    printk("Two sticks claim to be %s and are alike: neither is written to. Pull one\n",
           disk_name(v.disk).data());
    return place::waits;
  }
  return replay_to(v, device) ? place::taken : place::waits;
}

// Reports a stick that has the missing one's serial number and cannot be it, as may_be() said.
void tell_lookalike(const volume& v, const block_device& device) {
  if (device.identity.serial != v.identity.serial) return;
  const bool other_size = device.identity.sectors != v.identity.sectors;
  report_stranger(v, device, other_size ? "capacity differs" : "description differs");
}

// The first missing volume whose stick this is, but changed elsewhere or not proved. Its state
// stays `verify` until the stick has been compared with the other missing volumes too: one may
// match.
struct doubtful_match {
  volume* which = nullptr;
  doubt reason = doubt::changed;
  std::optional<verification> verifying;
};

doubt doubt_of(verdict outcome) {
  if (outcome == verdict::unproven) return doubt::unproven;
  return outcome == verdict::formatted ? doubt::formatted : doubt::changed;
}

// Compares the stick with one missing volume. `free`: compare it with the next one.
place compare_with(volume& v, block_device& device, doubtful_match& doubtful) {
  verification verifying(v);
  const result<verdict> outcome = look_at(v, device);
  if (!outcome) {
    if (!device.gone()) hindered(v, device, obstacle::unreadable);
    return place::unreadable;
  }
  switch (*outcome) {
    case verdict::same: return take_back(v, device);
    case verdict::different: report_stranger(v, device, "content differs"); break;
    case verdict::unproven:
    case verdict::modified:
    case verdict::formatted:
      if (doubtful.which) break;
      doubtful.which = &v;
      doubtful.reason = doubt_of(*outcome);
      doubtful.verifying.emplace(std::move(verifying));
      break;
  }
  return place::free;
}

// A volume that needs no stick is released instead: then the stick is to be looked at again.
place refuse(volume& v, block_device& device, doubt reason) {
  if (v.refused) keep_guest(*v.refused);
  refused(v, device, reason);
  if (v.state != volume_state::conflict) return place::waits;
  report_conflict(v, device);
  return place::taken;
}

}  // namespace

place find_place(block_device& device) {
  doubtful_match doubtful;
  bool is_unreadable = false;  // for one of the volumes: another one may match all the same
  for (volume& v : all_volumes()) {
    if (!is_missing(v)) continue;
    if (!may_be(v, device)) {
      tell_lookalike(v, device);
    } else {
      const place found = compare_with(v, device, doubtful);
      is_unreadable |= found == place::unreadable;
      if (found == place::taken || found == place::waits) return found;
    }
  }
  if (device.gone()) return place::waits;  // left() has run: no reference to it may be stored
  if (!doubtful.which) return is_unreadable ? place::unreadable : place::free;
  return refuse(*doubtful.which, device, doubtful.reason);
}

result<void> replay_to(volume& v, block_device& device) {
  const replay_summary summary = TRY(replay(v, device));
  report_return(v, summary.blocks, summary.took);
  look_again_at_guests();
  return {};
}

}  // namespace checkpoint
