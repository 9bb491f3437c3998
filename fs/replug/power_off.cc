#include "fs/replug/power_off.h"

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/volume.h"
#include "fs/fs.h"
#include "fs/replug/report.h"
#include "fs/sync.h"
#include "hal/log.h"
#include "hal/task.h"

namespace checkpoint {

namespace {

result<void> wait_for_replay(volume& v) {
  while (being_replayed(v))
    if (interruptible_sleep_on(v.changed) == wake_reason::signalled) return fail(error::eintr);
  return {};
}

// Blocks of it, or an operation that has begun, wait for a stick that is not in place.
bool waits_for_its_stick(const volume& v) {
  return v.state != volume_state::none && away(v) && has_unfinished_work(v);
}

result<void> refuse_while_sticks_are_missed() {
  result<void> outcome{};
  for (volume& v : all_volumes()) {
    TRY(wait_for_replay(v));
    if (!waits_for_its_stick(v)) continue;
    report_waiting(v);
    outcome = fail(error::ebusy);
  }
  return outcome;
}

// Writes all that is dirty. A stick that is pulled meanwhile is one that is missed from then on.
result<void> refuse_while_writes_fail() {
  // An error here is not lost: the inode stays dirty, or the volume's flush fails too, or its stick
  // is missed.
  static_cast<void>(sync_inodes(dev_id{}));
  result<void> outcome{};
  for (const volume& v : all_volumes()) {
    if (!has_device(v)) continue;
    const result<void> flushed = flush_buffers(v.disk);
    if (!flushed && flushed.error() == error::enodev) continue;
    if (flushed && !has_stuck_inodes(v.disk)) continue;
    report_waiting(v);
    outcome = fail(error::ebusy);
  }
  return outcome;
}

// As umount -f does, mounted or not. The console tells it, so the result says nothing new.
void give_up_missed_sticks() {
  for (const volume& v : all_volumes())
    if (v.state != volume_state::none) static_cast<void>(settle(v.disk, true));
}

}  // namespace

result<void> ready_for_power_off() {
  TRY(refuse_while_sticks_are_missed());
  TRY(refuse_while_writes_fail());
  TRY(refuse_while_sticks_are_missed());
  return signal_pending() ? fail(error::eintr) : result<void>{};
}

result<void> write_and_unmount_all() {
  TRY(ready_for_power_off());
  umount_all();
  const result<void> ready = ready_for_power_off();
  if (!ready) stay_mounted();
  return ready;
}

void give_up_and_unmount_all() {
  give_up_missed_sticks();
  if (!sys_sync()) printk("Some blocks could not be written.\n");
  umount_all();
  give_up_missed_sticks();
  for (const volume& v : all_volumes())
    if (has_device(v) && held_blocks(v) > 0) report_loss(v);
}

}  // namespace checkpoint
