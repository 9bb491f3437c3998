// A judge of the told story (fs/checkpoint/story.h): at the end of every test the records are read
// in their order, and each must fit what was told before. So an event that is told twice, too late
// or not at all fails the test in which it happens.
//
//   a block   shadowed, then any number of (queued, written or failed), then durable, discarded or
//             forgotten; the cache queues only what was dirtied; each queued write has an end
//   a stick   pulled, verified, replaying, replayed; flushed while it is plugged in or replayed
//             to; given_up only while it is away
//   a slot    belongs to one block at a time; durable directly behind the flush that proves it
//
// At the end the slots that the story knows must be those of the region. The ring has 4096 records:
// of a longer story the beginning is missing, and what depends on it is not judged.
#include <algorithm>
#include <map>
#include <optional>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "tests/sim/audit.h"

namespace sim {
namespace {

using story::event;
using story::record;

struct told_block {
  std::optional<u32> slot;
  bool may_be_free = false;  // forgotten: the slot is freed a moment later
  bool dirtied = false;
  bool written = false;             // since it was shadowed
  u32 by_cache = 0, by_region = 0;  // writes that have not ended
};

struct told_stick {
  enum { here, away, replaying } state = here;
  bool verified = false;
  bool may_be_released = false;  // away with nothing held: its name may be another's since
  i64 last_time = 0;
};

class story_reader {
 public:
  bool read_all() {
    const u32 count = std::min(story::told, story::NR_RECORDS);
    complete_ = count == story::told;
    for (u32 i = story::told - count; i != story::told && good_; ++i) {
      const record& r = story::records[i % story::NR_RECORDS];
      read(r);
      before_ = r;
    }
    return good_;
  }

  void compare_with_region() {
    if (!complete_) return;
    std::map<std::pair<u16, u32>, told_block> left = blocks_;
    for (const checkpoint::volume& v : checkpoint::all_volumes())
      for (const checkpoint::slot& s : v.set) {
        const auto found = left.find({s.dev.value(), s.block.value()});
        if (found == left.end() || found->second.slot != s.number)
          return complain("of a slot nothing was told", s.dev, s.block);
        left.erase(found);
      }
    for (const auto& [name, block] : left)
      if (block.slot && !block.may_be_free)
        return complain("a slot is free, and nothing told it", dev_id(name.first),
                        block_nr(name.second));
  }

  void expect_all_writes_ended() {
    for (const auto& [name, block] : blocks_)
      if (block.by_cache + block.by_region > 0)
        return complain("the end of a write was not told", dev_id(name.first),
                        block_nr(name.second));
  }

 private:
  void complain(const char* what, dev_id dev, block_nr block) {
    if (std::exchange(good_, false))
      left_behind(std::string("a story that cannot be: ") + what + " (block " +
                  std::to_string(block.value()) + " of " + disk_name(dev).data() + ")");
  }

  void must(bool holds, const record& r, const char* what) {
    if (!holds && complete_) complain(what, r.dev, r.block);
  }

  u32 slots_of(dev_id disk) const {
    u32 count = 0;
    for (const auto& [name, block] : blocks_)
      count += block.slot && whole_disk(dev_id(name.first)) == disk;
    return count;
  }

  void read(const record& r) {
    if (r.what == event::none || r.what > event::given_up) return must(false, r, "an empty record");
    if (r.what >= event::flushed)
      read_stick(r, sticks_[r.dev.value()]);
    else
      read_block(r, blocks_[{r.dev.value(), r.block.value()}]);
  }

  void read_block(const record& r, told_block& b) {
    switch (r.what) {
      case event::shadowed:
        must(!b.slot || b.may_be_free, r, "a second slot");
        must(is_free(r.detail), r, "a slot of another block");
        b.slot = r.detail;
        b.may_be_free = b.written = false;
        break;
      case event::dirtied:
        must(r.detail > 0 && r.detail <= BLOCK_SIZE, r, "a change of no bytes");
        must(b.slot || r.dev.major() != MAJOR_DISK || !checkpoint::shadows_enabled(), r,
             "dirtied without a slot");
        b.dirtied = true;
        break;
      case event::queued: queued(r, b); break;
      case event::written: ended(r, b, true); break;
      case event::failed:
        must(r.detail != 0, r, "a failure without an error");
        ended(r, b, false);
        break;
      case event::durable:
        must(b.slot == r.detail, r, "durable, but not this slot");
        must(b.written, r, "durable, but not written");
        must((before_.what == event::flushed || before_.what == event::durable) &&
                 whole_disk(before_.dev) == whole_disk(r.dev),
             r, "durable without a flush");
        free(r, b);
        break;
      case event::restored: must(b.slot == r.detail, r, "restored from no slot of it"); break;
      case event::forgotten:
        b.may_be_free = b.slot.has_value();
        b.dirtied = false;
        break;
      case event::discarded:
        must(b.slot == r.detail, r, "discarded, but not this slot");
        must(before_.what == event::given_up || before_.what == event::discarded, r,
             "discarded without being given up");
        free(r, b);
        break;
      default: break;
    }
  }

  void queued(const record& r, told_block& b) {
    const bool by_region = r.detail != 0;
    must(!by_region || b.slot == r.detail, r, "written from no slot of it");
    must(b.dirtied || by_region || b.slot == 0u, r, "written although nothing dirtied it");
    ++(by_region ? b.by_region : b.by_cache);
  }

  void ended(const record& r, told_block& b, bool good) {
    must(b.by_cache + b.by_region > 0, r, "the end of a write that was not queued");
    if (good && b.by_region == 0) b.dirtied = false;
    if (good) b.written = true;
    if (b.by_region > 0)
      --b.by_region;
    else if (b.by_cache > 0)
      --b.by_cache;
  }

  void free(const record& r, told_block& b) {
    b.slot.reset();
    b.may_be_free = false;
    told_stick& stick = sticks_[whole_disk(r.dev).value()];
    if (stick.state != told_stick::here && slots_of(whole_disk(r.dev)) == 0)
      stick.may_be_released = true;
  }

  bool is_free(u32 slot) const {
    return std::ranges::none_of(
        blocks_, [&](const auto& b) { return b.second.slot == slot && !b.second.may_be_free; });
  }

  void read_stick(const record& r, told_stick& s) {
    must(r.detail >= s.last_time, r, "an event from before the last one");
    s.last_time = r.detail;
    const bool may_be_here = s.state == told_stick::here || s.may_be_released;
    const bool may_be_away = s.state != told_stick::here || !complete_;
    switch (r.what) {
      case event::flushed:
        if (s.state == told_stick::replaying) break;
        must(may_be_here, r, "flushed while it is away");
        s.state = told_stick::here;
        break;
      case event::pulled:
        must(may_be_here, r, "pulled twice");
        s = {told_stick::away, false, slots_of(r.dev) == 0, s.last_time};
        break;
      case event::verified:
        must(may_be_away, r, "compared while it is plugged in");
        must(r.block.value() <= 4, r, "a verdict that there is not");
        s.state = told_stick::away;
        s.verified = true;
        break;
      case event::replaying:
        must(may_be_away && s.verified, r, "a replay without a comparison");
        s.state = told_stick::replaying;
        break;
      case event::replayed:
        must(s.state == told_stick::replaying, r, "the end of a replay that was not begun");
        s = {told_stick::here, false, false, s.last_time};
        break;
      case event::given_up:
        must(may_be_away, r, "given up while it is plugged in");
        s = {told_stick::here, false, false, s.last_time};
        break;
      default: break;
    }
  }

  std::map<std::pair<u16, u32>, told_block> blocks_;
  std::map<u16, told_stick> sticks_;
  record before_{};
  bool complete_ = false, good_ = true;
};

class story_judge final : public audited {
  void end_trouble() override {
    story_reader reader;
    if (reader.read_all()) reader.compare_with_region();
  }
  void check() override {
    story_reader reader;
    if (!reader.read_all()) return;
    reader.compare_with_region();
    reader.expect_all_writes_ended();
  }
};
story_judge the_story;

}  // namespace
}  // namespace sim
