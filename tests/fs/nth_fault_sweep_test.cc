// The n-th fails (the loop of SQLite's tests): each thing that a call needs is made to fail, one at
// a time, n = 1, 2, … until the call needs no n-th one. Afterwards the same call again must work,
// the file system must be sound, and the closing audit finds nothing left behind (sim/audit.h).
// What the call said must be what it did (nth_effects.h).
//
// What can fail: the n-th allocation of memory; the n-th read, write or flush of the stick, or all
// reads of what the n-th one asks for; room in the region, from the n-th command of the stick on;
// and what has room for n - 1 more: tables of files, of inodes in memory, of buffers; and the stick
// itself, of blocks. And what interrupts the call: a signal at its n-th wait for room in the
// region, and one at the first wait for a stick that was pulled at the n-th command. Neither is a
// fault, so the call may succeed.
//
// `make test` takes every call with few n; REPLUG_POINTS=all (`make proof`) takes every n.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/inode_table.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/nth_calls.h"
#include "tests/fs/nth_effects.h"
#include "tests/sim/memory.h"

namespace sim {
namespace {

enum class kind : u8 {
  memory,
  read,
  write,
  flush,
  bad_block,
  region,
  files,
  inodes,
  buffers,
  space,
  signal,
  pull
};
constexpr std::array kinds{kind::memory,    kind::read,   kind::write,  kind::flush,
                           kind::bad_block, kind::region, kind::files,  kind::inodes,
                           kind::buffers,   kind::space,  kind::signal, kind::pull};
// Faults of the short form, over all calls; the whole form meets more. Fewer: the sweep has shrunk.
constexpr std::array<u32, kinds.size()> floors{1, 108, 61, 29, 108, 135, 14, 41, 35, 33, 33, 124};
constexpr const char* name_of(kind what) {
  constexpr const char* names[] = {"memory", "read",   "write",   "flush", "bad_block", "region",
                                   "files",  "inodes", "buffers", "space", "signal",    "pull"};
  return names[static_cast<u8>(what)];
}

bool is_whole() {
  const char* points = std::getenv("REPLUG_POINTS");
  return points && std::string(points) == "all";
}

// One fault, from its construction to its end.
class fault {
 public:
  fault(medium& stick, session& process, kind what, u32 nth, bool is_mounted)
      : stick_(stick), process_(process), what_(what), nth_(nth), is_mounted_(is_mounted) {
    begin(process);
  }
  ~fault() {
    stick_.fault = nullptr;
    end_disturber();
    memory().refuse_none();
    for (file* each : files_) static_cast<void>(close_file(*each));
    if (what_ == kind::space && is_mounted_) EXPECT_OK(process_.truncate(nth_filler, 0));
  }
  fault(const fault&) = delete;
  fault& operator=(const fault&) = delete;

  // Whether there was an n-th one. Tables have an end: where the call succeeds with n - 1 free
  // places, it needs no more.
  bool was_met(bool failed) const {
    switch (what_) {
      case kind::memory: return memory().refused() > 0;
      case kind::files:
      case kind::inodes:
      case kind::buffers:
      case kind::space: return failed;
      case kind::signal: return signal_pending();
      default: return met_;
    }
  }

 private:
  void begin(session& process) {
    switch (what_) {
      case kind::memory: return memory().refuse_one(nth_);
      case kind::files: return take_files(process);
      case kind::inodes: return take_inodes();
      case kind::buffers: return take_buffers();
      case kind::space: return fill_stick(process);
      case kind::signal: return keep_region_full();
      case kind::pull: return pull_at_command();
      default:
        stick_.fault = [this](block_command cmd, lba first, u32 sectors) {
          return on_command(cmd, first.value(), sectors);
        };
    }
    if (what_ == kind::region && nth_ == 1) fill_region();
  }

  std::optional<error> on_command(block_command cmd, u64 first, u32 sectors) {
    if (what_ == kind::bad_block) return on_read(cmd, first, sectors);
    if (what_ == kind::region) {
      if (++seen_ + 1 == nth_) fill_region();
      return {};
    }
    constexpr std::array commands{block_command::read, block_command::write, block_command::flush};
    if (cmd != commands[static_cast<u8>(what_) - static_cast<u8>(kind::read)]) return {};
    if (++seen_ != nth_) return {};
    met_ = true;
    return error::eio;
  }

  // What the n-th read asked for cannot be read from then on: a read that is tried again, or that
  // follows a prefetch, fails too.
  std::optional<error> on_read(block_command cmd, u64 first, u32 sectors) {
    if (cmd != block_command::read) return {};
    if (!met_ && ++seen_ == nth_) bad_ = {first, first + sectors}, met_ = true;
    if (!met_ || first >= bad_.end || first + sectors <= bad_.first) return {};
    return error::eio;
  }

  void fill_region() {
    met_ = true;
    take_room(checkpoint::unreserved());
  }

  void take_room(u32 slots) {
    if (slots == 0) return;
    EXPECT_TRUE(region_.emplace_back().grant(slots));
  }

  // The region is full, also right behind an operation that gives room back; once in a second
  // there is room for one operation.
  void keep_region_full() {
    signal_at_sleep(nth_);
    disturber_ = spawn("filler", [this] {
      while (!over_) {
        const instant end = now() + 1_s;
        do take_room(checkpoint::unreserved());
        while (sleep_on(checkpoint::room_made(), end) == wake_reason::woken);
        region_.clear();
        take_room(checkpoint::unreserved() - OPERATION_BLOCKS);
        sleep_for(1_us);
      }
    });
    sleep_for(1_us);  // so that it has begun
  }

  void pull_at_command() {
    signal_at_sleep(1);
    stick_.fault = [this](block_command, lba, u32) -> std::optional<error> {
      if (++seen_ == nth_) {
        met_ = true;
        wake_up(progress_);
      }
      return {};
    };
    disturber_ = spawn("hand", [this] {
      while (!met_ && !over_) sleep_on(progress_);
      if (!met_) return;
      pull_from(stick_, sda);
      sleep_for(5_s);
      plug_as(stick_, sda);
    });
  }

  void end_disturber() {
    forget_signal();
    over_ = true;
    wake_up(progress_);
    if (disturber_) disturber_->join();
  }

  void take_files(session& process) {
    while (const auto f = open_file(process.context(), "/", abi::o_rdonly, 0)) files_.push_back(*f);
    for (u32 i = 1; i < nth_ && !files_.empty(); ++i) {
      static_cast<void>(close_file(*files_.back()));
      files_.pop_back();
    }
  }

  void take_inodes() {
    while (auto inode = get_empty_inode()) inodes_.push_back(std::move(*inode));
    inodes_.resize(inodes_.size() - std::min<size_t>(nth_ - 1, inodes_.size()));
  }

  // All are written first: a dirty one becomes free when the call needs it. Blocks at the end of
  // the stick, which no file has.
  void take_buffers() {
    EXPECT_OK(sys_sync());
    for (u32 block = nth_blocks - 3; count_buffers().clean > nth_ - 1; --block) {
      result<buffer_ref> buffer = getblk(sda, block_nr{block});
      if (!buffer) return;
      buffers_.push_back(std::move(*buffer));
    }
  }

  // So that n - 1 blocks are free; those that map the filler are part of what it takes.
  void fill_stick(session& process) {
    if (!is_mounted_) return;
    const u32 all = free_blocks_of(process);
    u32 size = all > nth_ ? all - nth_ : 0;
    EXPECT_OK(process.write(nth_filler, std::string(size * BLOCK_SIZE, 'f')));
    while (free_blocks_of(process) > nth_ - 1)
      if (!process.append(nth_filler, std::string(BLOCK_SIZE, 'f'))) break;
    while (free_blocks_of(process) < nth_ - 1 && size > 0)
      EXPECT_OK(process.truncate(nth_filler, --size * BLOCK_SIZE));
    EXPECT_OK(sys_sync());
  }
  static u32 free_blocks_of(session& process) {
    const result<abi::statfs> seen = statfs_path(process.context(), "/mnt");
    return seen ? seen->bfree : 0;
  }

  medium& stick_;
  session& process_;
  kind what_;
  u32 nth_, seen_ = 0;
  bool is_mounted_;  // when it begins
  bool met_ = false;
  struct {
    u64 first = 0, end = 0;
  } bad_;  // sectors
  std::list<checkpoint::reservation> region_;
  std::optional<fiber> disturber_;
  wait_queue progress_;
  bool over_ = false;
  std::vector<file*> files_;
  std::vector<inode_ref> inodes_;
  std::vector<buffer_ref> buffers_;
};

// A failed write or flush is told by the call that meets it or by the next sync, once.
void expect_work_again(session& process, const nth_call& call, const result<void>& outcome) {
  if (!outcome) {
    static_cast<void>(sys_sync());
    EXPECT_OK(call.make(process));
  }
  static_cast<void>(sys_sync());
  EXPECT_OK(sys_sync());
  if (call.is_done) {
    EXPECT_TRUE(call.is_done(process));
  }
}

// One call with one fault. Returns whether the fault was met.
bool fails_and_works_again(const nth_call& call, kind what, u32 nth) {
  SCOPED_TRACE(std::string(call.name) + ": " + name_of(what) + " " + std::to_string(nth));
  bool met = false;
  const nth_effect& effect = effect_of(call);
  medium stick(nth_image());
  {
    world world({.seed = 1});
    world.run([&] {
      session process(boot_with_root({.buffers = 64, .slots = 128}));
      plug_as(stick, sda);
      if (call.mounted) {
        EXPECT_OK(process.mount());
        drop_clean_buffers(sda);  // a mount reads the metadata ahead
      }
      const u32 since = begin_timed_call();
      result<void> outcome;
      {
        const fault one(stick, process, what, nth, call.mounted);
        outcome = call.make(process);
        const result<void> synced = outcome ? sys_sync() : result<void>{};
        met = one.was_met(!outcome || !synced);
        EXPECT_TRUE(met || (outcome && synced)) << "an error without a fault";
      }
      judge_effect(call, effect, outcome.has_value(), tree_of_calls(process, since));
      expect_work_again(process, call, outcome);
      EXPECT_OK(process.umount());
      EXPECT_OK(process.mount());
      judge_end(call, effect, outcome.has_value(), tree_of_calls(process, since));
      EXPECT_OK(process.umount());
      stick.pull();
      sleep_for(1_s);
    });
    if (world.panicked()) ADD_FAILURE() << "panic: " << world.panic_message();
  }
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  EXPECT_EQ(minix_image(stick.durable()).state() & 3, 1);
  return met;
}

// What this program has covered; tests/run_host_tests adds up its shares.
struct {
  u32 calls = 0;
  std::map<kind, u32> faults;
} covered;

// In the short form a call meets the first faults of a kind, and then every seventh.
u32 after(u32 nth) { return is_whole() || nth < 4 ? nth + 1 : nth + 7; }

class nth_fault_sweep : public ::testing::TestWithParam<size_t> {
 public:
  static void TearDownTestSuite() {
    std::printf("floor: calls_whose_n-th_thing_fails %u %zu\n", covered.calls, nth_calls().size());
    for (const kind what : kinds)
      std::printf("floor: n-th_fails_of_%s %u %u\n", name_of(what), covered.faults[what],
                  floors[static_cast<u8>(what)]);
  }
};

// Each fault that a call can meet.
TEST_P(nth_fault_sweep, of_a_call) {
  const nth_call& call = nth_calls()[GetParam()];
  ++covered.calls;
  for (const kind what : kinds)
    for (u32 nth = 1; fails_and_works_again(call, what, nth) && !HasFailure(); nth = after(nth))
      ++covered.faults[what];
}

INSTANTIATE_TEST_SUITE_P(calls, nth_fault_sweep, ::testing::Range(size_t{0}, nth_calls().size()),
                         [](const auto& chosen) {
                           std::string name = nth_calls()[chosen.param].name;
                           std::erase(name, ',');
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace sim
