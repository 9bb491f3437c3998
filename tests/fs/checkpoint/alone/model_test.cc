// Random operations on two volumes, next to a model: blocks are changed, written by a cache,
// flushed, freed; writes and flushes fail, caches are lost, sticks are pulled, come back and are
// given up. After each operation every slot must be as the model says, the sticks must hold every
// block that has no slot, and a verification must accept what a stick holds and refuse what it
// cannot hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <list>
#include <optional>

#include "drivers/block/ll_rw_block.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/change.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/shadow.h"
#include "fs/checkpoint/story.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/fs/checkpoint/alone/set_model.h"
#include "tests/sim/memory.h"

namespace {

using namespace sim;
using checkpoint::slot_state;
using checkpoint::volume;
using checkpoint::volume_state;

// 5 and 4101 share a hash bucket of the region; so do 5 of sda and 141 of sdb1.
constexpr std::array<u32, 7> block_numbers{0, 2, 5, 7, 133, 141, 4101};
constexpr u32 disk_blocks = 8192;

u32 covered_steps = 0;
std::array<u32, 6> covered_states{};  // by slot_state: how often a slot was looked at in it

struct cached_block {
  buffer_head head;
  block_content bytes{};
  std::vector<block_content> past;  // the last eight contents
  bool unknown = false;             // freed or given up: the stick may hold anything
};

void tell_written(buffer_head& bh, bool write, result<void> outcome);

// One stick with its volume, its cache above and its model.
class side {
 public:
  side(dev_id dev, u32 first_block) : dev_(dev), first_(first_block), model_(dev) {
    for (u32 number : block_numbers) {
      buffer_head& bh = blocks_[number].head;
      bh.b_data = blocks_[number].bytes.data();
      bh.b_dev = dev;
      bh.b_blocknr = block_nr{number};
      bh.b_uptodate = random_chance(2);
      bh.b_end_io = tell_written;
      blocks_[number].past.push_back(blocks_[number].bytes);
    }
    arrive();
  }

  dev_id disk() const { return whole_disk(dev_); }
  u32 slots() const { return static_cast<u32>(model_.slots.size()); }
  u32 promised() const { return op_ ? OPERATION_BLOCKS - model_.charged() : 0; }

  void step() {
    ++covered_steps;
    if (has_device(*v_))
      step_with_stick(random_below(100));
    else
      step_without_stick(random_below(100));
    compare();
  }

  void close() {
    end_operation();
    if (has_device(*v_)) pull();
    if (v_->state == volume_state::absent) checkpoint::dropped(*v_);
    sim::unpin(dev_);
    EXPECT_EQ(v_->state, volume_state::none);
  }

  void cache_write_ended(buffer_head& bh, result<void> outcome) {
    checkpoint::written(dev_, bh.b_blocknr, outcome, bh.b_sent);
    if (outcome == fail(error::enodev)) bh.b_dirt = false;
    model_.write_ended(bh.b_blocknr.value(), false, outcome.has_value(), bh.b_sent,
                       !outcome && outcome.error() != error::enodev);
  }

  u32 let_go() {
    u32 dirty = 0;
    for (auto& [number, b] : blocks_) dirty += std::exchange(b.head.b_dirt, false);
    return dirty;
  }
  void discard() {
    for (auto& [number, b] : blocks_) {
      b.head.b_dirt = b.head.b_uptodate = false;
      b.unknown = true;
    }
  }

 private:
  // --- steps

  void step_with_stick(u64 dice) {
    if (dice < 40) return change(any_block());
    if (dice < 62) return write(any_block());
    if (dice < 75) return disk_->carry_out_one();
    if (dice < 78) return disk_->take();
    if (dice < 88) return barrier();
    if (dice < 91) return forget(any_block());
    if (dice < 93) return lose_cache();
    if (dice < 97) return end_operation();
    pull();
  }

  void step_without_stick(u64 dice) {
    if (dice < 30 && op_) return change(any_block());
    if (dice < 35) return end_operation();
    if (dice < 40) return forget(any_block());
    if (dice < 45) return expect_absent_calls();
    if (dice < 50) return give_up();
    come_back();
  }

  u32 any_block() { return block_numbers[random_below(block_numbers.size())]; }

  bool begin() {
    if (op_) return true;
    auto begun = operation::begin(dev_);
    EXPECT_TRUE(begun);
    if (!begun) return false;
    op_.emplace(std::move(*begun));
    return true;
  }

  void end_operation() {
    op_.reset();
    model_.operation_ended();
  }

  // A whole block, or a part of one whose content is known.
  void change(u32 number) {
    cached_block& b = blocks_[number];
    if (b.head.b_lock || !begin()) return;
    const bool was_full = model_.slots.contains(number) && model_.slots[number].full();
    if (was_full && !has_device(*v_)) return;  // it would wait for the stick
    const ino_nr owner(static_cast<u16>(random_below(3)));
    checkpoint::noted_path file{{"a file"}, 0};
    op_->about(owner, file);
    auto change = checkpoint::begin_change(*op_, block_nr{number}, b.bytes, is_known(b));
    EXPECT_EQ(change.allowed(), !was_full);
    if (change.allowed())
      edit(number, std::move(change), owner);
    else
      make_room_for_a_version(number);
  }

  static bool is_known(const cached_block& b) { return b.head.b_uptodate && !b.head.b_dirt; }

  void edit(u32 number, checkpoint::block_change&& change, ino_nr owner) {
    cached_block& b = blocks_[number];
    const block_content before = b.bytes;
    const bool known = is_known(b);
    u32 offset = 0, length = BLOCK_SIZE;
    if (b.head.b_uptodate) {
      offset = static_cast<u32>(random_below(BLOCK_SIZE));
      length = 1 + static_cast<u32>(random_below(BLOCK_SIZE - offset));
    }
    std::fill_n(b.bytes.begin() + offset, length, static_cast<byte>(1 + random_below(255)));
    story::tell(story::event::dirtied, dev_, block_nr{number}, length);
    const bool dirty = std::move(change).finish(b.bytes, offset, length);
    EXPECT_EQ(dirty, has_device(*v_));
    b.head.b_uptodate = true;
    if (dirty) b.head.b_dirt = true;
    b.unknown = false;
    b.past.push_back(b.bytes);
    if (b.past.size() > 8) b.past.erase(b.past.begin());
    model_.changed(number, before, known, b.bytes, owner);
  }

  void make_room_for_a_version(u32 number) {
    disk_->at_once = true;
    const result<void> made = checkpoint::wait_to_change(*op_, block_nr{number});
    disk_->at_once = false;
    const bool is_full = model_.slots.contains(number) && model_.slots[number].full();
    EXPECT_EQ(made.has_value(), !is_full);
  }

  void write(u32 number) {
    cached_block& b = blocks_[number];
    if (b.head.b_lock || !b.head.b_dirt) return;
    checkpoint::issued(dev_, block_nr{number});
    model_.issued(number);
    ll_rw_block(block_command::write, b.head);
  }

  void barrier() {
    const bool idle = model_.nothing_to_prove(disk_->caches_lost()) && !has(slot_state::lost);
    const bool writes_pending = disk_->queued > 0;
    flushes_ = refused_ = 0;
    disk_->at_once = true;
    const result<void> outcome = checkpoint::barrier(dev_);
    disk_->at_once = false;
    EXPECT_LE(flushes_, 3u);
    if (idle) {
      EXPECT_EQ(flushes_, 0u);
    }
    if (!outcome) {
      EXPECT_EQ(outcome.error(), error::eio);
      EXPECT_TRUE(flushes_ == 3 || refused_ > 0);
    } else {
      EXPECT_FALSE(has(slot_state::lost));
      EXPECT_TRUE(writes_pending || !has(slot_state::written));
    }
    const bool refuses =
        std::ranges::any_of(model_.slots, [](const auto& each) { return each.second.refused; });
    EXPECT_EQ(v_->state == volume_state::degraded, refuses || (!outcome && has(slot_state::lost)));
  }

  bool has(slot_state state) const {
    return std::ranges::any_of(model_.slots,
                               [&](const auto& each) { return each.second.state == state; });
  }

  void forget(u32 number) {
    cached_block& b = blocks_[number];
    if (b.head.b_lock) return;
    b.head.b_dirt = b.head.b_uptodate = false;
    b.unknown = true;
    checkpoint::forget(dev_, block_nr{number});
    model_.slots.erase(number);
  }

  void lose_cache() {
    stick_.lose_cache();
    disk_->cache_lost();
  }

  // What was under way ends before or after the news.
  void pull() {
    const bool ends_late = random_chance(2);
    disk_->die();
    if (!ends_late) disk_->drop_in_hand();
    checkpoint::pulled(*v_);
    model_.pulled();
    disk_->drop_in_hand();
    stick_.lose_cache();
    for (const auto& [number, b] : blocks_) EXPECT_FALSE(b.head.b_dirt);
  }

  // Calls of other tasks while the stick is away.
  void expect_absent_calls() {
    EXPECT_TRUE(checkpoint::absent(dev_));
    EXPECT_EQ(checkpoint::barrier(dev_), fail(error::enodev));
    auto other = spawn("other", [&] { EXPECT_EQ(operation::begin(dev_).error(), error::absent); });
    other.join();
  }

  void give_up() {
    const u32 held = slots();
    const bool open = op_.has_value();
    checkpoint::dropped(*v_);
    EXPECT_EQ(v_->state, volume_state::dead);
    EXPECT_TRUE(checkpoint::dead(dev_));
    model_.slots.clear();
    if (open) {
      const u32 number = any_block();
      EXPECT_FALSE(
          checkpoint::begin_change(*op_, block_nr{number}, blocks_[number].bytes, false).allowed());
      EXPECT_EQ(checkpoint::wait_to_change(*op_, block_nr{number}), fail(error::eio));
    }
    EXPECT_EQ(operation::begin(dev_).has_value(), open) << "part of the one that has begun";
    end_operation();
    sim::unpin(dev_);
    EXPECT_EQ(v_->state, volume_state::none);
    arrive();
    EXPECT_EQ(checkpoint::blocks_lost(dev_), held);
    checkpoint::loss_is_marked(dev_);
    EXPECT_EQ(checkpoint::blocks_lost(dev_), 0u) << "told until the medium says it";
  }

  // --- the stick

  void make_disk() {
    disk_ = &disks_.emplace_back(stick_, disk_blocks);
    disk_->asked = [this] { model_.flush_begun(); };
    disk_->ask = [this](block_command cmd, u32 block, const byte* data) {
      if (cmd == block_command::write && !is_of_cache(block - first_, data))
        rewriting(block - first_);
      const bool troubled = random_chance(has_device(*v_) ? 6 : 12);
      return told_disk::answer{!troubled, troubled ? random_chance(2) : random_chance(40)};
    };
    disk_->ended = [this](const told_disk::event& e) { ended(e); };
    // Losses from before its time as this disk: the numbers of two plugs differ.
    for (u64 n = random_below(3); n > 0; --n) disk_->cache_lost();
  }

  bool is_of_cache(u32 number, const byte* data) { return blocks_[number].bytes.data() == data; }

  // The region writes a slot now; sometimes its block is changed meanwhile.
  void rewriting(u32 number) {
    const bool replayed = v_->state == volume_state::replay;
    EXPECT_TRUE(replayed || model_.slots[number].state == slot_state::lost);
    model_.rewriting(number);
    if (!op_ || blocks_[number].head.b_lock || !random_chance(3)) return;
    auto change = checkpoint::begin_change(*op_, block_nr{number}, blocks_[number].bytes, false);
    EXPECT_EQ(change.allowed(), !replayed);
    op_->about_file_system();
    if (change.allowed()) edit(number, std::move(change), ino_nr{});
  }

  void ended(const told_disk::event& e) {
    if (e.cmd == block_command::flush) {
      ++flushes_;
      model_.flush_ended(e.good, disk_->caches_lost());
    } else if (!is_of_cache(e.block - first_, e.data)) {
      if (!e.good) ++refused_;
      model_.write_ended(e.block - first_, true, e.good, e.sent, !e.good && !disk_->gone());
    }
  }

  partition_table partitions() const {
    partition_table table{};
    table[0] = {lba{}, disk_blocks * SECTORS_PER_BLOCK, 0};
    table[1] = {lba{126}, 16000, 0x81};
    return table;
  }

  void arrive() {
    make_disk();
    v_ = checkpoint::arrived(*disk_, partitions());
    ASSERT_TRUE(v_);
    EXPECT_EQ(v_->disk, disk());
    model_.arrived(disk_->caches_lost());
    sim::pin(dev_);
  }

  void come_back() {
    make_disk();
    const checkpoint::verification verifying(*v_);
    expect_recognised();
    if (random_chance(5)) return disk_->die();  // it is another stick
    story::tell_stick(story::event::verified, v_->disk);
    replay();
  }

  void expect_recognised() {
    for (const auto& [number, s] : model_.slots) {
      const auto* shadow = checkpoint::find_slot(dev_, block_nr{number});
      ASSERT_TRUE(shadow);
      for (const block_content& on_stick : stick_.versions_of(number + first_))
        for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i)
          EXPECT_TRUE(checkpoint::may_hold(*shadow, i, sector(on_stick, i))) << "block " << number;
    }
  }

  void replay() {
    const u32 held = slots();
    flushes_ = refused_ = 0;
    model_.replay_begun(disk_->caches_lost());
    disk_->at_once = true;
    const auto summary = checkpoint::replay(*v_, *disk_);
    disk_->at_once = false;
    EXPECT_LE(flushes_, 3u);
    ASSERT_TRUE(summary);
    model_.replayed();
    EXPECT_EQ(summary->blocks, held - slots());
    EXPECT_EQ(v_->state, slots() == 0 ? volume_state::live : volume_state::degraded);
    EXPECT_TRUE(slots() == 0 || refused_ > 0 || flushes_ == 3);
  }

  // --- comparing

  static std::span<const byte, SECTOR_SIZE> sector(const block_content& of, u32 index) {
    return std::span<const byte, SECTOR_SIZE>(of.data() + index * SECTOR_SIZE, SECTOR_SIZE);
  }

  void compare() {
    model_.expect_same(*v_);
    expect_recognised();
    const u32 looked_at = any_block();
    for (auto& [number, b] : blocks_) {
      const bool shadowed = model_.slots.contains(number);
      EXPECT_EQ(checkpoint::shadowed(dev_, block_nr{number}), shadowed);
      if (shadowed) {
        compare_shadow(number, b, number == looked_at);
      } else if (!b.unknown && v_->state == volume_state::live) {
        EXPECT_EQ(stick_.durable(number + first_), b.bytes) << "block " << number << " is lost";
      }
    }
  }

  void compare_shadow(u32 number, const cached_block& b, bool in_full) {
    const modelled_slot& expected = model_.slots[number];
    ++covered_states[static_cast<u8>(expected.state)];
    block_content restored{};
    EXPECT_TRUE(checkpoint::restore(dev_, block_nr{number}, restored));
    EXPECT_TRUE(restored == b.bytes);
    const story::record& told = story::records[(story::told - 1) % story::NR_RECORDS];
    EXPECT_TRUE(told.what == story::event::restored && told.block == block_nr{number});
    if (!in_full) return;
    const auto* shadow = checkpoint::find_slot(dev_, block_nr{number});
    block_content strange = b.bytes;
    strange.fill(byte{0});
    strange[SECTOR_SIZE - 1] = strange[BLOCK_SIZE - 1] = byte{1};
    expect_refuted(*shadow, expected, strange);
    for (const block_content& past : b.past) expect_refuted(*shadow, expected, past);
  }

  static void expect_refuted(const checkpoint::slot& shadow, const modelled_slot& s,
                             const block_content& candidate) {
    for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) {
      const auto same = [&](const block_content& c) {
        return std::ranges::equal(sector(c, i), sector(candidate, i));
      };
      const bool possible =
          s.in_flight() || !s.base_known || same(s.content) ||
          std::ranges::any_of(s.versions, [&](const auto& v) { return same(v.content); });
      EXPECT_EQ(checkpoint::may_hold(shadow, i, sector(candidate, i)), possible);
    }
  }

  dev_id dev_;
  u32 first_;
  set_model model_;
  told_stick stick_;
  std::list<told_disk> disks_;  // of all plugs, the last one is the present one
  told_disk* disk_ = nullptr;
  volume* v_ = nullptr;
  std::map<u32, cached_block> blocks_;
  std::optional<operation> op_;
  u32 flushes_ = 0, refused_ = 0;
};

std::deque<side>* sides = nullptr;

side& side_of(dev_id disk) {
  return *std::ranges::find_if(*sides, [&](const side& s) { return s.disk() == disk; });
}

void tell_written(buffer_head& bh, bool, result<void> outcome) {
  side_of(whole_disk(bh.b_dev)).cache_write_ended(bh, outcome);
}

void expect_room() {
  u32 used = 0;
  for (const side& s : *sides) used += s.slots() + s.promised();
  EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size() - used);
  if (random_chance(8)) checkpoint::check_region_invariants();
}

TEST(checkpoint_model, agrees_after_every_operation) {
  covered_steps = 0;
  for_each_seed(60, [](u64 seed) {
    run(seed, [] {
      {
        const kept_memory for_ever;
        checkpoint::init(128);
      }
      checkpoint::set_listener({.make_room = [](dev_id) { return result<void>{}; },
                                .let_go = [](dev_id disk) { return side_of(disk).let_go(); },
                                .discard = [](dev_id disk) { side_of(disk).discard(); },
                                .tell_refusal = [](dev_id, block_nr, ino_nr) {},
                                .tell_health = [](const checkpoint::volume&) {},
                                .tell_loss = [](const volume&) {}});
      std::deque<side> both;
      sides = &both;
      both.emplace_back(dev_id(8, 0), 0);
      both.emplace_back(dev_id(8, 17), 63);
      for (u32 i = 0; i < 150 && !::testing::Test::HasFailure(); ++i) {
        both[random_below(2)].step();
        expect_room();
      }
      for (side& s : both) s.close();
      sides = nullptr;
    });
  });
  if (::testing::Test::HasFailure()) return;
  std::printf(
      "coverage: checkpoint model: %u steps, slots seen held %u, issued %u, written %u, lost %u\n",
      covered_steps, covered_states[1], covered_states[2], covered_states[3], covered_states[4]);
  for (u8 state = 1; state < 5; ++state) EXPECT_GT(covered_states[state], 200u);
}

}  // namespace
