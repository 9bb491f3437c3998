#include "fs/replug/replugd.h"

#include <algorithm>

#include "drivers/block/media_event.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/tombstone.h"
#include "fs/file_errors.h"
#include "fs/replug/guests.h"
#include "fs/replug/report.h"
#include "fs/replug/returns.h"
#include "fs/replug/verify.h"
#include "fs/super.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "hal/task.h"

namespace {

using checkpoint::place;
using checkpoint::volume;

constexpr duration REMIND_EVERY = 60_s;

void left(block_device& device) {
  checkpoint::remove_guest(device);
  for (volume& v : checkpoint::all_volumes()) {
    checkpoint::hindrance_over(v, device);
    if (v.refused == &device) checkpoint::refused_left(v);
    if (has_device(v) && v.device == &device) checkpoint::pulled(v);
  }
  checkpoint::look_again_at_guests();
}

void discard_disk(dev_id disk) {
  discard_buffers(disk);
  checkpoint::look_again_at_guests();
}

void announce(const volume& v) {
  printk("%s: \"%s\", %u KiB\n", disk_name(v.disk).data(), volume_name(v).data(),
         v.identity.sectors / SECTORS_PER_BLOCK);
  if (const u32 lost = checkpoint::buried_blocks(v.identity, v.places))
    printk("%s: it was given up with %u blocks unwritten: check it with fsck\n",
           disk_name(v.disk).data(), lost);
}

place name_stick(block_device& device, const partition_table& partitions,
                 const checkpoint::fingerprint& places) {
  if (const volume* v = checkpoint::arrived(device, partitions, places)) {
    announce(*v);
    return place::taken;
  }
  printk("No name is free for another stick\n");
  return place::waits;
}

// Whether a volume that this stick may belong to was pulled since `begun`, or is about to be: its
// device is gone, and left() was not called yet. left() makes all guests due again.
bool may_be_missed_since(instant begun, const block_device& device) {
  return std::ranges::any_of(checkpoint::all_volumes(), [&](const volume& v) {
    const bool leaves = has_device(v) && away(v);
    return (leaves || (is_missing(v) && v.pulled_at >= begun)) && checkpoint::may_be(v, device);
  });
}

// A stick that is no missing one gets a name by its partition table.
place place_for(block_device& device) {
  for (volume& v : checkpoint::all_volumes()) checkpoint::hindrance_over(v, device);
  const instant begun = now();
  const place found = checkpoint::find_place(device);
  if (found != place::free) return found;
  const std::span<byte> memory = checkpoint::verify_memory();
  const result<partition_table> partitions = read_partitions(device, memory.first(BLOCK_SIZE));
  if (!partitions && !device.gone()) return place::unreadable;
  const result<checkpoint::fingerprint> places = checkpoint::read_fingerprint(device);
  if (!places || device.gone() || may_be_missed_since(begun, device)) return place::waits;
  return name_stick(device, *partitions, *places);
}

void look_at_guest(block_device& device) {
  const device_reference over_the_sleeps(device);
  const place found = place_for(device);
  if (found == place::taken) return checkpoint::remove_guest(device);
  if (found != place::unreadable || device.gone()) return;
  const duration pause = checkpoint::try_guest_again(device);
  if (pause < checkpoint::LONGEST_PAUSE)  // then the reminders go on, if it is a missing stick
    printk("%s cannot be read: it is tried again in %d s\n",
           checkpoint::describe(device.identity).data(), static_cast<int>(pause.seconds()));
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
  instant next = checkpoint::next_due_guest();
  for (const volume& v : checkpoint::all_volumes())
    if (checkpoint::is_missing(v)) next = std::min({next, v.remind_at, checkpoint::expires_at(v)});
  return next;
}

void replugd(void*) {
  for (;;) {
    while (block_device* device = checkpoint::due_guest()) look_at_guest(*device);
    look_at_clock();
    if (const instant next = next_event(); next > now()) sleep_on(checkpoint::guests_due(), next);
  }
}

}  // namespace

void replugd_init() {
  checkpoint::set_listener({.make_room = flush_buffers,
                            .let_go = let_go_of_buffers,
                            .discard = discard_disk,
                            .tell_refusal = note_refused_write,
                            .tell_health = checkpoint::report_health,
                            .tell_loss = checkpoint::report_loss});
  set_media_listener({checkpoint::add_guest, left});
  checkpoint::reserve_verify_memory();
  kassert(kernel_task("replugd", replugd, nullptr));
}

namespace checkpoint {

void times_changed() { wake_up(guests_due()); }

result<void> drop_volume(volume& v) {
  if (!is_missing(v)) return fail(error::ebusy);
  dropped(v);
  return {};
}

result<void> keep_volume(volume& v) {
  if (is_missing(v) && !v.refused) return fail(error::enomedium);
  return drop_volume(v);
}

result<void> force_volume(volume& v) {
  if (!is_missing(v)) return fail(error::ebusy);
  if (!v.refused) return fail(error::enomedium);
  if (v.refused->write_protected) return fail(error::erofs);
  if (v.state == volume_state::conflict && v.reason == doubt::formatted) return fail(error::eperm);
  block_device& device = take_refused(v);
  v.places = fingerprint(v.identity.sectors);  // what it has there is not known
  for (metadata_digest& d : v.digests) d.forget_all();
  const result<void> outcome = replay_to(v, device);
  device.drop();
  times_changed();  // also after a pull: replugd has slept as long as the volume was not missing
  TRY(outcome);
  drop_clean_buffers(v.disk);  // they tell what was there before the change
  printk("%s: forced; check it with fsck\n", disk_name(v.disk).data());
  // Only the marks are made again after a pull: the medium may have been changed meanwhile.
  return at_the_door([&] { return mark_forced(v.disk); });
}

}  // namespace checkpoint
