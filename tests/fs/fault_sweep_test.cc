// Every fault with a bystander, and then it still works.
//
// One case: a stick is mounted behind a simulated controller, and a second stick beside it. A fault
// of the table (fault_table.h) strikes while an actor and a bystander are in their calls; at once
// it strikes again, twice in a row. Then the faults end, and everything must work: write, sync,
// read back, unmount; and the medium must hold what the kernel says it holds.
//
// Every sleeper is probed each time the clock moves (tests/sim/scheduler.h, Lost wake-ups): a task
// that sleeps although its event has come fails the case, also if a time-out would have woken it.
//
// `make test` takes a share of the cases, `make proof` (REPLUG_POINTS=all) all. Both print what
// they have covered, and fail when that is less than what is recorded here.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/fault_table.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace sim {
namespace {

using volume_state = checkpoint::volume_state;

// --- what the tasks do

struct call {
  const char* name;
  result<void> (*run)(session&, const std::string& path, u32 number);
};

const std::array calls{
    call{"read",
         [](session& s, const std::string& path, u32) -> result<void> {
           TRY(s.read(path));
           return {};
         }},
    call{"write",
         [](session& s, const std::string& path, u32 n) -> result<void> {
           TRY(s.write(path, pattern(9'500, n)));
           return s.sync_file(path);
         }},
    call{"overwrite",
         [](session& s, const std::string& path, u32 n) -> result<void> {
           TRY(s.write_at(path, 1'500, pattern(3'000, n)));
           return sys_sync();
         }},
    call{"make_and_remove",
         [](session& s, const std::string& path, u32) -> result<void> {
           TRY(s.mkdir(path + "_d"));
           TRY(sys_sync());
           return s.rmdir(path + "_d");
         }},
    call{"rename",
         [](session& s, const std::string& path, u32) -> result<void> {
           TRY(s.rename(path, path + "_moved"));
           return s.rename(path + "_moved", path);
         }},
    call{"truncate",
         [](session& s, const std::string& path, u32) -> result<void> {
           TRY(s.truncate(path, 1'000));
           return sys_sync();
         }},
    call{"fill_the_region",
         [](session& s, const std::string& path, u32 n) -> result<void> {
           for (u32 round = 0; round < 2; ++round)
             TRY(s.overwrite(path, pattern(90'000, n + round)));
           return {};
         }},
};

enum class bystander : u8 { same_call, twin, reader, syncer, neighbour };
constexpr size_t bystanders = 5;
constexpr const char* bystander_names[bystanders] = {"same_call", "twin", "reader", "syncer",
                                                     "neighbour"};

// --- one case

struct fault_case {
  size_t fault = 0, call = 0;
  bystander beside = bystander::twin;
  u32 times = 1;
  u64 seed = 1;
};

constexpr u32 blocks_of_sticks = 400;
constexpr const char* names_used[] = {"/a", "/b"};

// The errors that a call gets by what the other task does to the same name.
bool is_a_race(error e) {
  return e == error::enoent || e == error::eexist || e == error::ebusy || e == error::enotempty;
}

class scene {
 public:
  explicit scene(const fault_case& chosen)
      : chosen_(chosen),
        stick_(mkfs_minix(blocks_of_sticks)),
        other_(mkfs_minix(128, 32), "OTHER") {
    stick_.most_latency = other_.most_latency = 400_us;
  }

  void run(const std::function<void(fault_scene&)>& strike, bool may_fail) {
    may_fail_ = may_fail;
    world world({.seed = chosen_.seed, .time_limit = 5000_s, .probe_all = true});
    world.run([&] { live(strike); });
    lost_zones_ =
        may_fail && world.console().find("lost zones of an indirect") != std::string::npos;
    for (const std::string& each : machine_.controller().violations()) ADD_FAILURE() << each;
    judge();
  }

  u32 bus_resets() { return machine_.stick_of(stick_).bus_resets(); }
  u32 strikes_made() const { return strikes_made_; }
  u32 io_errors() const { return io_errors_; }

 private:
  void live(const std::function<void(fault_scene&)>& strike) {
    session process(boot_with_root({.buffers = 64, .slots = 256}));
    const u32 room_before = checkpoint::unreserved();
    prepare(process);
    fault_scene at{machine_, stick_, chosen_.times};
    for (int round = 0; round < 2; ++round) {
      drop_clean_buffers(sda);
      strike(at);
      call_together(process);
      sleep_for(20_s);
      end_faults(at);
      if (!stick_.plugged()) stick_.plug(machine_.port(1));
      await_both();
    }
    strikes_made_ = at.struck->made();
    still_works(process);
    remember(process);
    EXPECT_OK(process.umount("/mnt"));
    EXPECT_OK(process.umount("/mnt2"));
    stick_.pull({.loss = cache_loss::all});
    other_.pull({.loss = cache_loss::all});
    sleep_for(3_s);
    EXPECT_EQ(checkpoint::unreserved(), room_before) << "a slot of the region leaked";
    EXPECT_EQ(machine_.controller().slots_in_use(), 0u);
    EXPECT_EQ(count_buffers().in_use, in_use_before_);
    check_buffer_invariants();
  }

  // Both are there; what they have refused is taken now.
  void await_both() {
    const instant deadline = now() + 120_s;
    while (!(is_plugged_in(sda) && is_plugged_in(sdb)) && now() < deadline) sleep_for(10_ms);
    judge_call(sys_sync(), "sync");  // it tells the error of an earlier write, once
    EXPECT_OK(sys_sync());
    await_state(sda, volume_state::live);
    await_state(sdb, volume_state::live);
  }

  void prepare(session& process) {
    in_use_before_ = count_buffers().in_use;
    machine_.power_on();
    machine_.watch(stick_);
    stick_.plug(machine_.port(stick_port));
    await_state(sda, volume_state::live);
    other_.plug(machine_.port(3));
    await_state(sdb, volume_state::live);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    for (const char* name : names_used)
      ASSERT_TRUE(process.write(std::string("/mnt") + name, pattern(20'000, 77)));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
  }

  void call_together(session& process) {
    in_parallel(2, [&](u32 number) {
      session mine = process.fork();
      if (number == 0)
        judge_call(calls[chosen_.call].run(mine, "/mnt/a", 1), calls[chosen_.call].name);
      else
        stand_by(mine);
    });
  }

  void stand_by(session& mine) {
    const call& same = calls[chosen_.call];
    switch (chosen_.beside) {
      case bystander::same_call: return judge_call(same.run(mine, "/mnt/a", 2), same.name);
      case bystander::twin: return judge_call(same.run(mine, "/mnt/b", 2), same.name);
      case bystander::reader: return judge_call(calls[0].run(mine, "/mnt/a", 2), "read");
      case bystander::syncer: return judge_call(sys_sync(), "sync");
      case bystander::neighbour:  // whatever becomes of the first stick
        return judge_neighbour(mine);
    }
  }

  void judge_neighbour(session& mine) {
    const bool may_fail = all_faults()[chosen_.fault].neighbour_may_fail;
    if (!mine.write("/mnt2/file", pattern(9'000, 5))) {
      EXPECT_TRUE(may_fail);
      return;
    }
    const result<std::string> read = mine.read("/mnt2/file");
    if (!read) {
      EXPECT_TRUE(may_fail);
      return;
    }
    EXPECT_EQ(*read, pattern(9'000, 5));
  }

  void judge_call(const result<void>& outcome, const char* what) {
    if (outcome || is_a_race(outcome.error())) return;
    io_errors_ += outcome.error() == error::eio;
    if (outcome.error() == error::eio && may_fail_) return;
    ADD_FAILURE() << what << ": error " << static_cast<int>(outcome.error());
  }

  // The first sync may tell of a write that failed before; from then on everything succeeds.
  void still_works(session& process) {
    static_cast<void>(sys_sync());
    const std::string text = pattern(15'000, 9);
    EXPECT_OK(process.write("/mnt/after", text));
    EXPECT_OK(sys_sync());
    EXPECT_EQ(process.read("/mnt/after").value_or(""), text);
    drop_clean_buffers(sda);
    EXPECT_EQ(process.read("/mnt/after").value_or(""), text);
    EXPECT_OK(process.write("/mnt2/after", text));
    EXPECT_OK(process.sync_file("/mnt2/after"));
  }

  void remember(session& process) {
    for (const char* name : {"/a", "/b", "/after"})
      if (const auto text = process.read(std::string("/mnt") + name)) seen_[name] = *text;
  }

  void judge() {
    const minix_image image(stick_.durable());
    // A file was freed whose indirect block could not be read: its zones are lost, and that is told
    // (fs/truncate.h).
    if (!lost_zones_) {
      EXPECT_EQ(image.problem_text(), "");
      EXPECT_EQ(image.state() & 3, 1) << "not marked as cleanly unmounted";
    }
    EXPECT_TRUE(seen_.contains("/after"));
    for (const auto& [name, text] : seen_) {
      const auto found = image.files().find(name);
      EXPECT_TRUE(found != image.files().end() && found->second.content == text) << name;
    }
    EXPECT_EQ(minix_image(other_.durable()).problem_text(), "");
  }

  fault_case chosen_;
  medium stick_, other_;
  usb_machine machine_;
  bool may_fail_ = false, lost_zones_ = false;
  u32 in_use_before_ = 0, strikes_made_ = 0, io_errors_ = 0;
  std::map<std::string, std::string> seen_;
};

// --- which cases

bool all_cases() { return std::getenv("REPLUG_POINTS") != nullptr; }

u64 number_from(const char* variable, u64 otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

std::string describe(const fault_case& c) {
  std::ostringstream text;
  text << all_faults()[c.fault].name << " x" << c.times << " during " << calls[c.call].name
       << ", bystander " << bystander_names[static_cast<u8>(c.beside)];
  return text.str();
}

// What the faults have done in this program; tests/run_host_tests adds up its shares.
u32 strikes_covered = 0;
constexpr u32 least_strikes = 640;  // of the short form

class fault_sweep : public ::testing::TestWithParam<size_t> {
 public:
  static void TearDownTestSuite() {
    std::printf("floor: strikes_of_faults %u %u\n", strikes_covered, least_strikes);
  }
};

// The cases of one fault. The short form takes one of `share` in turn, so that every fault meets
// every call and every bystander, though not in every combination. A case in which the fault finds
// nothing to strike (a read and a fault of flushes) shows nothing about it, and does not count as
// struck.
TEST_P(fault_sweep, leaves_everything_working) {
  const size_t which = GetParam();
  const fault& struck = all_faults()[which];
  const size_t share = all_cases() ? 1 : 14, only = number_from("REPLUG_STEP", 0);
  size_t number = 0, ran = 0, struck_cases = 0;
  for (size_t c = 0; c < calls.size(); ++c)
    for (size_t b = 0; b < bystanders; ++b)
      for (u32 times : {1u, 2u}) {
        ++number;
        if (only ? number != only : (number + which) % share != 0) continue;
        const fault_case chosen{which, c, static_cast<bystander>(b), times, seed_or(number)};
        scene at(chosen);
        at.run(struck.begin, struck.calls_may_fail || times > 1);
        if (HasFailure()) {
          std::printf(
              "%s\nagain: REPLUG_STEP=%zu build/host/replug_tests --gtest_filter=*/%s/%zu\n",
              describe(chosen).c_str(), number, "fault_sweep.leaves_everything_working", which);
          return;
        }
        ++ran;
        struck_cases += at.strikes_made() > 0;
        strikes_covered += at.strikes_made();
      }
  std::printf("coverage: fault %s: %zu cases (calls x bystanders x once or twice), %zu struck\n",
              struck.name, ran, struck_cases);
  if (!only) {
    EXPECT_GE(ran, all_cases() ? 70u : 5u);
    EXPECT_GE(struck_cases, all_cases() ? 20u : 2u) << "the fault never struck";
  }
}

INSTANTIATE_TEST_SUITE_P(of, fault_sweep, ::testing::Range(size_t{0}, all_faults().size()));

// What lasts a little less than its limit, or a little more.
class limit_sweep : public ::testing::TestWithParam<std::tuple<size_t, bool>> {};

TEST_P(limit_sweep, leaves_everything_working) {
  const auto [which, above] = GetParam();
  const time_limit_case& limit = all_time_limits()[which];
  const duration lasts{limit.limit.ns + (above ? 1 : -1) * limit.margin.ns};
  size_t ran = 0;
  for (size_t b = 0; b < bystanders; ++b) {
    const fault_case chosen{0, limit.call, static_cast<bystander>(b), 1, seed_or(b + 1)};
    scene at(chosen);
    u32 resets = 0;
    at.run(
        [&](fault_scene& struck) {
          resets = at.bus_resets();
          limit.begin(struck, lasts);
        },
        above);
    EXPECT_GT(at.strikes_made(), 0u);
    if (limit.resets_above) {
      EXPECT_EQ(at.bus_resets() > resets, above);
    } else {
      EXPECT_EQ(at.io_errors() > 0, above);
    }
    if (HasFailure()) return;
    ++ran;
  }
  std::printf("coverage: limit %s %s: %zu bystanders\n", limit.name, above ? "exceeded" : "kept",
              ran);
  EXPECT_GE(ran, bystanders);
}

INSTANTIATE_TEST_SUITE_P(of, limit_sweep,
                         ::testing::Combine(::testing::Range(size_t{0}, all_time_limits().size()),
                                            ::testing::Bool()));

// --- the means themselves

// The names that a header declares between "--- trouble ---" and the next such line, or in a
// struct.
// Continued lines, and the members of a struct in between, are passed over.
std::set<std::string> members_in(const std::string& header, const std::string& from,
                                 const std::string& to, const std::string& prefix) {
  const std::string here = __FILE__;
  std::ifstream file(here.substr(0, here.find("tests/fs/")) + header);
  std::set<std::string> found;
  const std::regex member(
      "^  [A-Za-z_][\\w:<>, \\(\\)]*?[ >](\\w+)( = [^;]*|\\([^;{]*\\)( const)?)?( \\{.*\\}|;)|"
      ", (\\w+);");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (!inside) {
      inside = line.find(from) != std::string::npos;
      continue;
    }
    if (line.find(to) != std::string::npos) break;
    const bool answer = from.starts_with("struct");
    if (line.starts_with("    ") && !answer) continue;
    std::string code = line.substr(0, line.find("//"));
    if (code.starts_with("    ")) code = code.substr(2);
    std::smatch match;
    if (std::regex_search(code, match, member))
      found.insert(prefix + (match[1].matched ? match[1].str() : match[5].str()));
  }
  return found;
}

// So many there were when this was last looked at; nothing is taken away.
TEST(fault_sweep_itself, has_lost_nothing) {
  std::printf("coverage: fault_sweep: %zu faults x %zu calls x %zu bystanders, %zu limits\n",
              all_faults().size(), calls.size(), bystanders, all_time_limits().size());
  EXPECT_GE(all_faults().size(), 45u);
  EXPECT_GE(calls.size(), 7u);
  EXPECT_GE(bystanders, 5u);
  EXPECT_GE(all_time_limits().size(), 4u);
}

TEST(fault_sweep_itself, knows_every_fault_of_the_simulated_machine) {
  std::set<std::string> known;
  for (const fault& each : all_faults()) {
    std::istringstream words(each.made_of);
    for (std::string word; words >> word;) known.insert(word);
  }
  for (const left_out& each : faults_left_out()) {
    EXPECT_FALSE(each.reason.empty());
    known.insert(std::string(each.member));
  }
  struct place {
    const char *header, *from, *to, *prefix;
    size_t least;
  };
  for (const place& at :
       {place{"tests/sim/medium.h", "--- trouble ---", "// ---", "medium::", 7},
        place{"tests/sim/scsi_target.h", "--- trouble ---", "private:", "scsi_target::", 5},
        place{"tests/sim/xhci/stick.h", "struct answer {", "};", "usb_stick::answer::", 7},
        place{"tests/sim/xhci/stick.h", "gets no answer", "scsi_target& disk", "usb_stick::", 2},
        place{"tests/sim/xhci/controller.h", "--- trouble ---", "private:", "controller::", 5}}) {
    const auto members = members_in(at.header, at.from, at.to, at.prefix);
    EXPECT_GE(members.size(), at.least) << at.header << " is not understood";
    for (const std::string& each : members)
      EXPECT_TRUE(known.contains(each)) << each << " is not in tests/fs/fault_table.cc";
  }
}

}  // namespace
}  // namespace sim
