#include "fs/checkpoint/volume.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "drivers/block/media_event.h"
#include "fs/buffer/buffer.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/story.h"
#include "fs/replug/report.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "lib/crc32c.h"

namespace checkpoint {

constinit std::array<volume, NR_DISKS> volumes{};

namespace {

constinit settings times{};
constinit bool shadows_enabled = true;
constexpr duration FIRST_REMINDER = 2_s;  // who replugs at once is not bothered

constexpr u32 NR_TOMBSTONES = 8;
constinit std::array<tombstone, NR_TOMBSTONES> tombstones{};
constinit u32 next_tombstone = 0;

void seal(volume& v) {
  for (slot& s : v.set) {
    if (s.state == slot_state::issued) s.torn = true;
    s.checksum = crc32c(s.bytes());
  }
}

void discard_set(volume& v) {
  while (slot* s = v.set.front()) {
    story::tell(story::event::discarded, s->dev, s->block, s->number);
    free_slot(*s, v.set);
  }
  v.nr_files = 0;
}

// The stick that was refused becomes one like any other: it arrives once more.
void let_candidate_go(volume& v) {
  block_device* refused = std::exchange(v.candidate, nullptr);
  if (!refused) return;
  media_arrived(*refused);
  refused->drop();
}

}  // namespace

settings& current_settings() { return times; }
bool enabled() { return shadows_enabled; }

bool missed(const volume& v) { return !v.set.empty() || v.operations > 0; }
u32 held_blocks(const volume& v) { return v.set.size(); }

instant expires_at(const volume& v) {
  const bool waiting = v.state == volume_state::absent || v.state == volume_state::conflict;
  return waiting && missed(v) ? v.pulled_at + times.hold : never;
}

std::string_view volume_name(const volume& v) {
  return v.identity.product[0] ? v.identity.product.data() : "USB stick";
}

void set_state(volume& v, volume_state state) {
  v.state = state;
  wake_up(v.changed);
}

volume* add_volume(block_device& device, const partition_table& partitions) {
  const result<dev_id> disk = add_disk(device, partitions);
  if (!disk) return nullptr;
  volume& v = volumes[disk->minor() / MINORS_PER_DISK];
  kassert(v.state == volume_state::none && v.set.empty() && v.operations == 0);
  v.disk = *disk;
  v.identity = device.identity;
  v.partitions = partitions;
  v.device = &device;
  v.mounts = 0;
  v.nr_files = 0;
  v.last_stamp = {};
  v.flushed_stamp = {};
  v.caches_lost = device.caches_lost();
  set_state(v, volume_state::live);
  return &v;
}

void become_absent(volume& v) {
  v.device = nullptr;
  v.pulled_at = now();
  v.remind_at = v.pulled_at + FIRST_REMINDER;
  set_state(v, volume_state::absent);
}

void pulled(volume& v) {
  story::tell_stick(story::event::pulled, v.disk);
  detach_disk(v.disk);
  seal(v);
  become_absent(v);
  const u32 unwritten = let_go_of_buffers(v.disk);
  if (!shadows_enabled && unwritten > 0)
    printk("LOST: %s: %u unwritten blocks (hold=0)\n", disk_name(v.disk).data(), unwritten);
  if (times.hold == duration{}) return give_up(v);  // the classic way
  release_if_unused(v);
}

void give_up(volume& v) {
  story::tell_stick(story::event::given_up, v.disk);
  report_loss(v);
  if (held_blocks(v) > 0) bury(v);
  discard_set(v);
  set_state(v, volume_state::dead);
  invalidate_buffers(v.disk);
  let_candidate_go(v);
  release_if_unused(v);
}

void release_if_unused(volume& v) {
  const bool gone = v.state == volume_state::dead || v.state == volume_state::absent;
  if (!gone || missed(v) || v.mounts > 0) return;
  invalidate_buffers(v.disk);
  release_disk(v.disk);
  set_state(v, volume_state::none);
}

void note_file(volume& v, dev_id dev, ino_nr inode, const char* path) {
  const auto is_it = [&](const file_note& f) { return f.inode == inode && f.dev == dev; };
  if (v.nr_files > 0 && is_it(v.files[v.nr_files - 1])) return;
  const auto end = v.files.begin() + v.nr_files;
  if (std::find_if(v.files.begin(), end, is_it) != end || v.nr_files == NR_FILE_NOTES) return;
  file_note& note = v.files[v.nr_files++];
  note = {dev, inode, {}};
  std::copy_n(path, std::min(std::strlen(path), note.path.size() - 1), note.path.begin());
}

void forget_files(volume& v) {
  if (v.operations == 0) v.nr_files = 0;
}

void bury(const volume& v) {
  tombstones[next_tombstone++ % NR_TOMBSTONES] = {v.identity, held_blocks(v)};
}

u32 buried_blocks(const media_identity& identity) {
  u32 blocks = 0;
  for (const tombstone& t : tombstones)
    if (t.blocks > 0 && t.identity == identity) blocks += t.blocks;
  return blocks;
}

void forget_tombstone(const media_identity& identity) {
  for (tombstone& t : tombstones)
    if (t.identity == identity) t = {};
}

// --- what the file system asks (checkpoint.h)

void init(u32 slots) {
  shadows_enabled = times.hold > duration{};
  make_region(slots);
}

bool absent(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && away(*v);
}

bool dead(dev_id dev) {
  const volume* v = volume_of(dev);
  return v && v->state == volume_state::dead;
}

result<void> wait_live(dev_id dev) {
  volume* v = volume_of(dev);
  if (!v) return {};
  if (!away(*v)) return v->state == volume_state::dead ? fail(error::eio) : result<void>{};
  const bool begun =
      operation::current(dev) != nullptr;  // it must be finished: only give_up ends it
  const instant deadline = now() + times.io_wait;
  while (away(*v)) {
    const wake_reason reason =
        begun ? sleep_on(v->changed) : interruptible_sleep_on(v->changed, deadline);
    if (reason == wake_reason::signalled) return fail(error::eintr);
    if (reason == wake_reason::timed_out && away(*v)) return fail(error::eio);
    if (v->state == volume_state::none) return fail(error::eio);
  }
  if (v->state == volume_state::dead) return fail(error::eio);
  return {};
}

result<void> settle(dev_id dev, bool force) {
  volume* v = volume_of(dev);
  if (!v) return {};
  // A pull that we have not been told of yet counts as one only when we have.
  while (being_replayed(*v) || (v->state == volume_state::live && away(*v))) sleep_on(v->changed);
  if (force && away(*v) && missed(*v)) give_up(*v);
  while (away(*v) && missed(*v))
    if (interruptible_sleep_on(v->changed) == wake_reason::signalled) return fail(error::eintr);
  if (v->state == volume_state::dead) return fail(error::eio);
  return {};
}

void mounted(dev_id dev) {
  if (volume* v = volume_of(dev)) ++v->mounts;
}

void unmounted(dev_id dev) {
  volume* v = volume_of(dev);
  if (!v) return;
  kassert(v->mounts > 0);
  --v->mounts;
  release_if_unused(*v);
}

u32 blocks_lost(dev_id dev) {
  const volume* v = volume_of(dev);
  if (!v) return 0;
  const u32 blocks = buried_blocks(v->identity);
  forget_tombstone(v->identity);
  return blocks;
}

}  // namespace checkpoint
