#include "fs/buffer/buffer.h"

#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/shadow.h"
#include "fs/checkpoint/story.h"
#include "hal/clock.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

constexpr duration BUFFER_PATIENCE = 30_s;  // how long getblk waits for a free buffer
constinit wait_queue buffer_wait{};         // the book's: tasks that wait for any free buffer

// The I/O of a buffer has ended: b_end_io of every head of the cache.
void end_buffer_io(buffer_head& bh, bool write, result<void> outcome) {
  if (write) {
    checkpoint::written(bh.b_dev, bh.b_blocknr, outcome, bh.b_sent);
    // Pulled during the write: the region has the content, so the buffer need not be written.
    if (!outcome && outcome.error() == error::enodev)
      bh.b_dirt = false;
    else if (!outcome)
      note_write_error(bh.b_dev, outcome.error());
  }
  the_policy().file(bh);
  if (bh.b_count == 0) wake_up(buffer_wait);
}

// A head, with one use, for a block that is not in the cache; the policy chooses it. Null when no
// head is free.
buffer_head* claim_free_buffer(dev_id dev, block_nr block) {
  buffer_head* bh = the_policy().find_free();
  if (!bh) return nullptr;
  name_buffer(*bh, dev, block);
  bh->b_end_io = end_buffer_io;
  use_buffer(*bh);
  return bh;
}

// Writes all other disks: `refusing` has write errors, so its buffers do not become free, but those
// of another disk may (rule 10).
void write_other_disks(dev_id refusing) {
  for_each_disk([&](dev_id disk) {
    if (disk != refusing) static_cast<void>(write_buffers(disk));
  });
}

// Way 2: no buffer is free, so a device is written now, or the task sleeps until a buffer becomes
// free. Takes no inode lock. `begun`: inside an operation, so a signal does not end the sleep.
// `deadline` is set by the first call of a getblk. Errors: eintr, eio.
result<void> make_room(bool begun, instant& deadline) {
  if (deadline == never) deadline = now() + BUFFER_PATIENCE;
  if (const dev_id disk = the_policy().disk_to_write()) {
    const result<void> outcome = write_buffers(disk);
    if (!outcome && !the_policy().find_free()) write_other_disks(disk);
    if (the_policy().find_free()) return {};
    if (!outcome) return outcome;
    // While this task waited for the writes, others took the buffers, dirtied and released them.
    // That woke no task here, so there is no event to sleep for.
    if (the_policy().disk_to_write() && now() < deadline) return {};
  }
  switch (begun ? sleep_on(buffer_wait, deadline) : interruptible_sleep_on(buffer_wait, deadline)) {
    case wake_reason::signalled: return fail(error::eintr);
    case wake_reason::timed_out: return fail(error::eio);
    case wake_reason::woken: return {};
  }
  return {};
}

// Fills a buffer: from the region if its block has a shadow, otherwise from the device. Sleeps.
// False: not filled, as the device is gone. Errors: eio, enxio.
result<bool> fill_buffer(buffer_head& bh) {
  wait_on_buffer(bh);
  if (bh.b_uptodate) return true;
  if (checkpoint::restore(bh.b_dev, bh.b_blocknr,
                          std::span<byte, BLOCK_SIZE>(bh.b_data, BLOCK_SIZE))) {
    bh.b_uptodate = true;
    return true;
  }
  ll_rw_block(block_command::read, bh);
  wait_on_buffer(bh);
  if (bh.b_uptodate) return true;
  const result<block_target> target = resolve(bh.b_dev);
  if (!target && target.error() != error::enodev) return fail(target.error());
  if (target && !target->device->gone()) return fail(error::eio);
  return false;
}

bool past_the_end(dev_id dev, block_nr block) {
  const result<block_target> target = resolve(dev);
  return target && block.value() >= target->sectors / SECTORS_PER_BLOCK;
}

}  // namespace

void brelse(buffer_head* bh) {
  if (!bh) return;
  kassert(bh->b_count > 0);
  unuse_buffer(*bh);
  if (bh->b_count == 0) wake_up(buffer_wait);
}

buffer_ref get_hash_table(dev_id dev, block_nr block) {
  while (buffer_head* bh = find_buffer(dev, block)) {
    use_buffer(*bh);  // before the sleep: now the head keeps its block
    wait_on_buffer(*bh);
    if (bh->b_dev == dev && bh->b_blocknr == block) return buffer_ref(bh);
    brelse(bh);
  }
  return {};
}

const byte* peek_block(dev_id dev, block_nr block) {
  buffer_head* bh = find_buffer(dev, block);
  if (!bh || !bh->b_uptodate || bh->b_lock) return nullptr;
  if (is_free(*bh)) the_policy().file(*bh);
  return bh->b_data;
}

result<buffer_ref> getblk(dev_id dev, block_nr block) {
  may_sleep();
  instant deadline = never;  // make_room sets it
  for (;;) {
    if (buffer_ref found = get_hash_table(dev, block)) return found;
    // No sleep between find_buffer (in get_hash_table) and the claim, so no block gets two heads.
    if (buffer_head* bh = claim_free_buffer(dev, block)) return buffer_ref(bh);
    TRY(make_room(operation::current(dev) != nullptr, deadline));
  }
}

result<buffer_ref> bread(dev_id dev, block_nr block) {
  may_sleep();
  if (buffer_ref cached = get_hash_table(dev, block); cached && cached.head()->b_uptodate)
    return cached;
  if (past_the_end(dev, block)) return fail(error::enxio);
  buffer_ref buffer = TRY(getblk(dev, block));
  while (!buffer.head()->b_uptodate) {
    if (checkpoint::dead(dev)) return fail(error::eio);
    if (TRY(fill_buffer(*buffer.head()))) break;
    TRY(checkpoint::require_stick(dev));
  }
  return buffer;
}

bool start_read(dev_id dev, block_nr block) {
  buffer_head* bh = find_buffer(dev, block);
  if (bh && (bh->b_uptodate || bh->b_lock)) return true;
  if (past_the_end(dev, block) || checkpoint::absent(dev)) return false;
  if (bh)
    use_buffer(*bh);  // in the cache but not uptodate: discarded, and not read since
  else
    bh = claim_free_buffer(dev, block);
  if (!bh) return false;
  if (!checkpoint::shadowed(dev, block)) ll_rw_block(block_command::read, *bh);
  brelse(bh);
  return true;
}

void forget_block(dev_id dev, block_nr block) {
  if (buffer_ref buffer = get_hash_table(dev, block)) {
    buffer_head& bh = *buffer.head();
    bh.b_dirt = false;
    bh.b_uptodate = false;
    bh.b_error.reset();
    the_policy().file(bh);
  }
  checkpoint::forget(dev, block);
}

result<checkpoint::block_change> buffer_ref::begin_modify(operation& op) {
  for (;;) {
    wait_on_buffer(*bh_);
    if (!bh_->b_uptodate) return fail(error::eio);  // given up, or freed by another task
    auto change = checkpoint::begin_change(op, bh_->b_blocknr, data(), !bh_->b_dirt);
    if (change.allowed()) return change;
    TRY(checkpoint::wait_to_change(op, bh_->b_blocknr));
  }
}

result<checkpoint::block_change> buffer_ref::begin_overwrite(operation& op) {
  for (;;) {
    wait_on_buffer(*bh_);
    const bool known = bh_->b_uptodate && !bh_->b_dirt;
    auto change = checkpoint::begin_change(op, bh_->b_blocknr, data(), known);
    if (change.allowed()) return change;
    TRY(checkpoint::wait_to_change(op, bh_->b_blocknr));
  }
}

void buffer_ref::end_modify(checkpoint::block_change&& change, u32 offset, u32 length) {
  bh_->b_uptodate = true;
  story::tell(story::event::dirtied, bh_->b_dev, bh_->b_blocknr, length);
  if (!std::move(change).finish(data(), offset, length) || bh_->b_dirt) return;
  bh_->b_dirt = true;
  the_policy().file(*bh_);
}
