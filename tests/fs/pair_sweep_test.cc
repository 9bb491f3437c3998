// Two calls at the same time: what they say and what they leave must be what one of the two orders
// says and leaves, one call after the other. Every pair of calls, on a cold cache, so that each
// sleeps wherever it can, and on one that lacks only the inodes, so that it sleeps in the middle of
// a look-up; one of them begins when the other has asked the sticks for n things. One of the calls
// is a hand: it pulls the stick with dirty blocks of its own and plugs it in again, twice, which
// must change nothing for the other call. Afterwards every descriptor still works, the file system
// is sound, and the closing audit finds nothing left behind (sim/audit.h).
//
// Each call is one system call, so that nothing of the other one belongs between its parts.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "fs/buffer/invalidate.h"
#include "fs/inode_table.h"
#include "fs/stamp.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/nth_calls.h"
#include "tests/fs/nth_effects.h"

namespace sim {
namespace {

// One of the two tasks.
struct actor {
  session process;
  u32 number;  // 1 or 2: what it writes differs
  medium* stick;
  file* open = nullptr;
  std::string read{};

  void open_before(const char* path, u32 flags) {
    const result<file*> opened = open_file(process.context(), path, flags, 0644);
    ASSERT_TRUE(opened) << path;
    open = *opened;
  }
};

struct paired_call {
  const char* name;
  result<void> (*make)(actor&);
  void (*prepare)(actor&) = nullptr;
  bool beside_itself = true;
};

result<void> write_bytes(actor& a, u32 size) {
  const std::string bytes = pattern(size, a.number);
  auto rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) rest = rest.subspan(TRY(write_open_file(*a.open, rest)));
  return {};
}

// A pull makes the count short.
result<void> read_bytes(actor& a) {
  a.read.resize(150'000);  // of a disk more than the cache has buffers
  u32 done = 0;
  while (const u32 part =
             TRY(read_open_file(*a.open, std::as_writable_bytes(std::span(a.read)).subspan(done))))
    done += part;
  a.read.resize(done);
  return {};
}

result<void> open_now(actor& a, const char* path, u32 flags) {
  a.open = TRY(open_file(a.process.context(), path, flags, 0644));
  return {};
}

result<void> look(actor& a, const char* path) {
  const abi::stat seen = TRY(stat_path(a.process.context(), path));
  a.read = std::to_string(seen.size) + " " + std::to_string(seen.nlink);
  return {};
}

result<void> close_now(actor& a) { return close_file(*std::exchange(a.open, nullptr)); }

result<void> mount_other(actor& a) { return a.process.mount("/dev/sdb", "/mnt2"); }

// The second time its blocks are those of the first one, and of what was written meanwhile.
result<void> pull_and_plug_twice(actor& a) {
  for (u32 i = 0; i < 2; ++i) {
    pull_from(*a.stick, sda);
    plug_as(*a.stick, sda);
  }
  return {};
}

void read_metadata(session& process) {
  for (const char* directory : {"/mnt", "/mnt/dir", "/mnt/dir/sub"})
    EXPECT_TRUE(names_in(process.context(), directory));
  for (const char* file : {"/mnt/file", "/mnt/small", "/mnt/dir/inner", "/mnt/dir/sub"})
    EXPECT_TRUE(stat_path(process.context(), file));
  EXPECT_TRUE(statfs_path(process.context(), "/mnt"));
}

// The metadata are in the cache, some of them dirty.
void prepare_for_pull(actor& a) {
  read_metadata(a.process);
  a.open_before("/mnt/dir/inner", abi::o_wronly);
  EXPECT_OK(write_bytes(a, 3'000));
}

const paired_call calls[] = {
    {"open", [](actor& a) { return open_now(a, "/mnt/file", abi::o_rdonly); }},
    {"open without a sleep", [](actor& a) { return open_now(a, "/", abi::o_rdonly); }},
    {"open and create",
     [](actor& a) { return open_now(a, "/mnt/new", abi::o_creat | abi::o_wronly); }},
    {"open and create alone",
     [](actor& a) { return open_now(a, "/mnt/new", abi::o_creat | abi::o_excl | abi::o_wronly); }},
    {"open and truncate",
     [](actor& a) { return open_now(a, "/mnt/file", abi::o_trunc | abi::o_wronly); }},
    {"read", read_bytes, [](actor& a) { a.open_before("/mnt/file", abi::o_rdonly); }},
    {"read the disk", read_bytes, [](actor& a) { a.open_before("/dev/sdb", abi::o_rdonly); }},
    {"write", [](actor& a) { return write_bytes(a, 12'000); },
     [](actor& a) { a.open_before("/mnt/file", abi::o_wronly); }},
    // Inside a block: of a longer one stat may see a part, as on Linux.
    {"append", [](actor& a) { return write_bytes(a, 500); },
     [](actor& a) { a.open_before("/mnt/small", abi::o_wronly | abi::o_append); }},
    // One block: two writers of more of a disk get their blocks mixed, as on Linux.
    {"write the disk", [](actor& a) { return write_bytes(a, 1'000); },
     [](actor& a) { a.open_before("/dev/sdb", abi::o_wronly); }},
    {"close the disk", close_now,
     [](actor& a) {
       a.open_before("/dev/sdb", abi::o_wronly);
       EXPECT_OK(write_bytes(a, 1'000));
     }},
    {"close", close_now, [](actor& a) { a.open_before("/mnt/small", abi::o_wronly); }},
    {"fsync", [](actor& a) { return sync_file(*a.open); },
     [](actor& a) {
       a.open_before("/mnt/dir/inner", abi::o_wronly);
       EXPECT_OK(write_bytes(a, 3'000));
     }},
    {"sync", [](actor&) { return sys_sync(); }},
    {"truncate", [](actor& a) { return a.process.truncate("/mnt/file", 8'500); }},
    {"truncate to more", [](actor& a) { return a.process.truncate("/mnt/small", 20'000); }},
    {"rename", [](actor& a) { return a.process.rename("/mnt/file", "/mnt/dir/sub/file"); }},
    {"rename over a file", [](actor& a) { return a.process.rename("/mnt/small", "/mnt/file"); }},
    {"rename a directory", [](actor& a) { return a.process.rename("/mnt/dir/sub", "/mnt/sub"); }},
    {"link", [](actor& a) { return a.process.link("/mnt/file", "/mnt/dir/also"); }},
    {"unlink", [](actor& a) { return a.process.unlink("/mnt/file"); }},
    {"unlink another", [](actor& a) { return a.process.unlink("/mnt/small"); }},
    {"mkdir", [](actor& a) { return a.process.mkdir("/mnt/dir/sub/new"); }},
    {"rmdir", [](actor& a) { return a.process.rmdir("/mnt/dir/sub"); }},
    {"mknod",
     [](actor& a) {
       return make_node(a.process.context(), "/mnt/new", abi::s_ifblk | 0600, dev_id(9, 1));
     }},
    {"chmod", [](actor& a) { return chmod_path(a.process.context(), "/mnt/small", 0600); }},
    {"stat", [](actor& a) { return look(a, "/mnt/small"); }},
    {"stat a directory", [](actor& a) { return look(a, "/mnt/dir"); }},
    {"chdir", [](actor& a) { return change_directory(a.process.context(), "/mnt/dir/sub"); }},
    {"mount", mount_other},
    {"umount", [](actor& a) { return a.process.umount("/mnt2"); },
     [](actor& a) { EXPECT_OK(mount_other(a)); }, false},  // ebusy while another umount runs
    {"pull and plug", pull_and_plug_twice, prepare_for_pull, false},  // there is one stick to pull
};

enum class cache { cold, lacks_inodes };

// All that the calls need but the inodes.
void warm_up(session& process) {
  read_metadata(process);
  EXPECT_OK(sys_sync());
  forget_inode_table(sda);
  std::vector<inode_ref> all;
  while (auto inode = get_empty_inode()) all.push_back(std::move(*inode));
}

// What a pair of calls says and leaves.
struct ending {
  std::array<result<void>, 2> said;
  std::array<std::string, 2> read;
  tree left;
  std::string disk;  // the beginning of the second stick
};

// Two mounts never have the same stamp.
std::string without_stamp(std::string text) {
  const size_t at = text.find("REPLUG01");
  return at == std::string::npos ? text : text.replace(at, sizeof(d_stamp), sizeof(d_stamp), '-');
}

std::string difference(const ending& expected, const ending& seen) {
  for (u32 i = 0; i < 2; ++i) {
    if (expected.said[i] != seen.said[i]) return "what call " + std::to_string(i + 1) + " said";
    if (without_stamp(expected.read[i]) != without_stamp(seen.read[i]))
      return "what call " + std::to_string(i + 1) + " read";
  }
  if (without_stamp(expected.disk) != without_stamp(seen.disk)) return "the other disk";
  return difference(expected.left, seen.left);
}

void expect_open_file_works(actor& a) {
  if (!a.open) return;
  EXPECT_TRUE(stat_file(*a.open));
  EXPECT_OK(close_file(*std::exchange(a.open, nullptr)));
}

std::function<void()> at_next_command;

std::optional<error> note_command(block_command, lba, u32) {
  if (at_next_command) at_next_command();
  return {};
}

// Runs the calls in a world of their own: `order` says how.
ending run_pair(const paired_call& first, const paired_call& second, cache before,
                const std::function<void(actor&, actor&, ending&)>& order) {
  ending found;
  medium stick(nth_image()), disk(mkfs_minix(200));
  stick.max_sectors = disk.max_sectors = SECTORS_PER_BLOCK;  // each block ends by itself
  disk.most_latency = disk.least_latency;  // many blocks of it go through the cache meanwhile
  stick.fault = disk.fault = note_command;
  {
    world world({.seed = 1});
    world.run([&] {
      session process(boot_with_root({.buffers = 64, .slots = 128}));
      plug_as(stick, sda);
      plug_as(disk, sdb);
      ASSERT_TRUE(process.mount());
      const u32 since = begin_timed_call();
      drop_clean_buffers(sda);  // a mount reads the metadata ahead
      if (before == cache::lacks_inodes) warm_up(process);
      actor one{process.fork(), 1, &stick}, two{process.fork(), 2, &stick};
      if (first.prepare) first.prepare(one);
      if (second.prepare) second.prepare(two);
      order(one, two, found);
      found.read = {one.read, two.read};
      for (actor* each : {&one, &two}) expect_open_file_works(*each);
      for (actor* each : {&one, &two}) EXPECT_OK(change_directory(each->process.context(), "/"));
      const result<void> unmounted = process.umount("/mnt2");
      EXPECT_TRUE(unmounted || unmounted.error() == error::einval);
      found.left = tree_of(process.context(), "/mnt", since);
      found.disk = process.read("/dev/sdb").value_or("").substr(0, 4096);
      EXPECT_OK(process.umount());
      EXPECT_OK(sys_sync());
    });
    if (world.panicked()) ADD_FAILURE() << "panic: " << world.panic_message();
  }
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  return found;
}

ending one_after_the_other(const paired_call& first, const paired_call& second, bool turned) {
  return run_pair(first, second, cache::cold, [&](actor& one, actor& two, ending& found) {
    if (turned) found.said[1] = second.make(two);
    found.said[0] = first.make(one);
    if (!turned) found.said[1] = second.make(two);
  });
}

// Which call begins later, and after how many commands to the sticks: 0: both at once.
struct start {
  u32 later, commands;
  cache before = cache::cold;
};

// What this program has covered; tests/run_host_tests adds up its shares.
struct {
  u32 pairs = 0;
  u32 overlaps = 0;  // starts in which a call began while the other one slept in its middle
} covered;
constexpr u32 least_overlaps = 1948;  // of the short form

// Runs both calls; the later one begins in the middle of the other, or behind its end.
void overlap(const start& how, std::array<std::function<void()>, 2> makes) {
  wait_queue progress;
  u32 commands = 0;
  bool earlier_ended = false;
  at_next_command = [&] {
    ++commands;
    wake_up(progress);
  };
  const fiber later = spawn("later", [&] {
    while (commands < how.commands && !earlier_ended) sleep_on(progress);
    covered.overlaps += !earlier_ended;
    makes[how.later]();
  });
  makes[1 - how.later]();
  earlier_ended = true;
  wake_up(progress);
  later.join();
  at_next_command = nullptr;
}

ending at_the_same_time(const paired_call& first, const paired_call& second, const start& how) {
  return run_pair(first, second, how.before, [&](actor& one, actor& two, ending& found) {
    overlap(how,
            {[&] { found.said[0] = first.make(one); }, [&] { found.said[1] = second.make(two); }});
  });
}

bool is_whole() {
  const char* points = std::getenv("REPLUG_POINTS");
  return points && std::string(points) == "all";
}

// All of them, or some that differ from pair to pair.
std::vector<start> starts_of(size_t first, size_t second) {
  if (!is_whole()) {
    const u32 commands = static_cast<u32>(1 + (first * 7 + second * 3) % 4);
    const u32 later = (first + second) % 2;
    return {{1, 0},
            {0, commands},
            {1, commands},
            {later, 1, cache::lacks_inodes},
            {1 - later, 1, cache::lacks_inodes}};
  }
  std::vector<start> all;
  for (u32 commands = 0; commands <= 12; ++commands)
    for (u32 later = 0; later < 2; ++later)
      for (const cache before : {cache::cold, cache::lacks_inodes})
        all.push_back({later, commands, before});
  return all;
}

constexpr u32 pairs = std::size(calls) * (std::size(calls) + 1) / 2 - 2;

class pair_sweep : public ::testing::TestWithParam<size_t> {
 public:
  static void TearDownTestSuite() {
    std::printf("floor: pairs_of_calls_at_the_same_time %u %u\n", covered.pairs, pairs);
    std::printf("floor: overlapping_calls %u %u\n", covered.overlaps, least_overlaps);
  }
};

TEST_P(pair_sweep, says_and_leaves_what_one_order_does) {
  const paired_call& first = calls[GetParam()];
  for (size_t i = GetParam(); i < std::size(calls); ++i) {
    if (i == GetParam() && !first.beside_itself) continue;
    ++covered.pairs;
    const paired_call& second = calls[i];
    SCOPED_TRACE(std::string(first.name) + " and " + second.name);
    const ending orders[] = {one_after_the_other(first, second, false),
                             one_after_the_other(first, second, true)};
    for (const start& how : starts_of(GetParam(), i)) {
      const ending seen = at_the_same_time(first, second, how);
      const std::string differs[] = {difference(orders[0], seen), difference(orders[1], seen)};
      EXPECT_TRUE(differs[0].empty() || differs[1].empty())
          << "call " << how.later + 1 << " begins after " << how.commands << " commands"
          << (how.before == cache::cold ? "" : ", all but the inodes is in the cache")
          << "\nfrom the first order: " << differs[0] << "\nfrom the second: " << differs[1];
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(of, pair_sweep, ::testing::Range(size_t{0}, std::size(calls)));

}  // namespace
}  // namespace sim
