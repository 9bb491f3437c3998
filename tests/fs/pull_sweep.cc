#include "tests/fs/pull_sweep.h"

#include <set>
#include <sstream>

#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace sim {
namespace {

using volume_state = checkpoint::volume_state;

constexpr u32 image_blocks = 400;
constexpr int umount_tries = 6;

const char* error_name(error e) {
  switch (e) {
    case error::eio: return "eio";
    case error::enodev: return "enodev";
    case error::eintr: return "eintr";
    case error::enospc: return "enospc";
    case error::ebusy: return "ebusy";
    default: return "another error";
  }
}

// A file system that has been used before, by somebody else.
const std::vector<byte>& used_image() {
  static std::vector<byte> image;
  if (!image.empty()) return image;
  medium stick(mkfs_minix(image_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    kassert(process.mount() && process.mkdir("/mnt/music"));
    for (const char* name : {"/mnt/one", "/mnt/two", "/mnt/music/three"})
      kassert(process.write(name, sample_text(20'000, 77)));
    kassert(process.umount());
  });
  return image = {stick.durable().begin(), stick.durable().end()};
}

std::vector<byte> image_of(other_stick which) {
  return which == other_stick::same_shape ? used_image() : mkfs_minix(image_blocks, 96);
}

// One run: the stick, the one who pulls and plugs it, the processes, and what they were promised.
class experiment {
 public:
  explicit experiment(const pull_plan& plan)
      : plan_(plan), stick_(mkfs_minix(image_blocks)), other_(image_of(plan.first)) {
    stick_.flush_lies = plan.flush_lies;
    stick_.most_latency = 400_us;
    if (plan.first_pull) stick_.pull_at(plan.first_pull, plan.style);
  }

  pull_outcome run() {
    world world({.seed = plan_.seed});
    world.run([&] { live(); });
    outcome_.story = world.console() + log_text();
    if (world.panicked()) complain("panic: " + world.panic_message());
    judge_medium();
    judge_order_of_commands();
    if (other_.count(block_command::write) + other_.count(block_command::flush) > 0)
      complain("another stick was written to");
    outcome_.steps = stick_.steps();
    return std::move(outcome_);
  }

 private:
  void complain(const std::string& text) { outcome_.complaints.push_back(text); }

  // Whether a call succeeded; the stick is back long before anybody's patience ends, so it must.
  bool demand(const result<void>& outcome, const std::string& what) {
    if (!outcome) complain(what + " failed with " + error_name(outcome.error()));
    return outcome.has_value();
  }

  // --- the world ---

  void live() {
    session process(boot_with_root({.buffers = 64, .slots = 128}));
    const u32 free_before = checkpoint::unreserved();
    stick_.plug();
    await_state(sda, volume_state::live);
    auto hand = spawn("hand", [&] { bring_back(); });
    if (demand(process.mount(), "mount")) {
      work(process);
      leave(process);
    }
    over_ = true;
    hand.join();
    put_away();
    if (checkpoint::unreserved() != free_before) complain("a slot of the region leaked");
    check_buffer_invariants();
  }

  void work(session& process) {
    in_parallel(plan_.writers, [&](u32 number) {
      session mine = process.fork();
      write_files(mine, "/mnt", "/" + std::to_string(number), number);
    });
    if (plan_.large_file) write_large_file(process);
  }

  // All the ways in which a file system changes, in a directory of its own.
  void write_files(session& process, const std::string& mount, const std::string& top, u32 seed) {
    const auto at = [&](const std::string& name) { return mount + top + name; };
    const std::string long_text = sample_text(9'500, seed);  // needs the indirect block
    const std::string short_text = sample_text(1'700, seed + 50);
    if (demand(process.mkdir(at("")), "mkdir")) model_[top].directory = true;
    if (demand(process.write(at("/long"), long_text), "write"))
      model_[top + "/long"].content = long_text;
    if (demand(process.write(at("/short"), short_text), "write"))
      model_[top + "/short"].content = short_text;
    demand(sys_sync(), "sync");
    if (demand(process.append(at("/short"), "appended"), "append"))
      model_[top + "/short"].content += "appended";
    if (demand(process.write_at(at("/long"), 8'000, short_text), "overwrite"))
      model_[top + "/long"].content.replace(8'000, short_text.size(), short_text);
    if (demand(process.mkdir(at("/d")), "mkdir")) model_[top + "/d"].directory = true;
    if (demand(process.rename(at("/short"), at("/d/moved")), "rename")) {
      model_[top + "/d/moved"] = model_[top + "/short"];
      model_.erase(top + "/short");
    }
    demand(process.sync_file(at("/d/moved")), "fsync");
    if (demand(process.write(at("/doomed"), long_text), "write"))
      demand(process.unlink(at("/doomed")), "unlink");
    if (demand(process.link(at("/d/moved"), at("/twin")), "link"))
      model_[top + "/twin"] = model_[top + "/d/moved"];
    if (demand(process.truncate(at("/long"), 3'000), "truncate"))
      model_[top + "/long"].content.resize(3'000);
    demand(sys_sync(), "sync");
    if (demand(process.write(at("/last"), short_text), "write"))
      model_[top + "/last"].content = short_text;
    const result<std::string> back = process.read(at("/long"));
    if (!back || *back != model_[top + "/long"].content) complain("read gave other bytes");
  }

  // Written twice, so that blocks whose first version is on its way get a second one.
  void write_large_file(session& process) {
    for (u32 version : {1u, 2u}) {
      const std::string text = sample_text(90'000, version);
      if (demand(process.overwrite("/mnt/large", text), "write")) model_["/large"].content = text;
    }
  }

  void leave(session& process) {
    result<void> left = fail(error::eio);
    for (int i = 0; i < umount_tries && !left; ++i) {
      left = process.umount();
      if (!left) sleep_for(5_s);
    }
    demand(left, "umount");
  }

  // The one who pulled it has it in his hand for a while, and may try another one first.
  void bring_back() {
    while (!over_) {
      if (stick_.plugged()) {
        sleep_for(20_ms);
        continue;
      }
      sleep_for(duration{static_cast<i64>(random_below(3'000'000'000))});
      if (plan_.first != other_stick::none) try_other_stick();
      plug_again();
    }
  }

  void try_other_stick() {
    other_.plug();
    sleep_for(2_s);
    other_.pull();
    sleep_for(1_s);
  }

  void plug_again() {
    const bool first = outcome_.steps_before_return == 0;
    const u64 before = stick_.steps();
    if (first) {
      outcome_.steps_before_return = before;
      stick_.reads_are_steps = true;
      if (plan_.second_pull) stick_.pull_at(before + plan_.second_pull, plan_.style);
    }
    stick_.plug();
    // Looked at closely, so that the steps of the return are counted and no others.
    const instant soon = now() + 200_ms;
    const instant deadline = now() + 10_s;
    while (state_of(sda) != volume_state::live && stick_.plugged() && now() < deadline)
      sleep_for(now() < soon ? 50_us : 100_ms);
    if (first) outcome_.steps_of_return = stick_.steps() - before;
    if (stick_.plugged() && state_of(sda) != volume_state::live)
      complain(std::string("the stick is back, but its volume is ") + name_of(state_of(sda)));
    stick_.reads_are_steps = plan_.second_pull && !first;
  }

  void put_away() {
    stick_.reads_are_steps = false;
    // After umount there is nothing left to lose, unless the stick has lied.
    const cache_loss loss = plan_.flush_lies ? cache_loss::none : cache_loss::all;
    if (stick_.plugged()) stick_.pull({.loss = loss});
    sleep_for(1_s);
  }

  // --- the judgement ---

  void judge_medium() {
    const minix_image image(stick_.durable());
    for (const std::string& problem : image.problems()) complain("structure: " + problem);
    if (image.state() != 1) complain("the superblock does not say VALID");
    for (const auto& [path, promised] : model_) compare(image, path, promised);
    for (const auto& [path, file] : image.files())
      if (!model_.contains(path)) complain(path + " should not be there");
    if (plan_.ask_fsck)
      if (const std::string words = fsck_minix(stick_.durable()); !words.empty())
        complain("fsck.minix: " + words);
  }

  // The last commands that the stick received, for the report of a failure.
  std::string log_text() const {
    std::ostringstream text;
    const auto& log = stick_.log();
    for (size_t i = log.size() > 40 ? log.size() - 40 : 0; i < log.size(); ++i) {
      constexpr const char* names[] = {"read", "write", "flush"};
      text << "  attach " << log[i].epoch.value() << " " << names[static_cast<u8>(log[i].cmd)]
           << " " << log[i].first.value() << " +" << log[i].sectors << " from "
           << log[i].begun.ns / 1000 << " to " << log[i].ended.ns / 1000 << " us"
           << (log[i].succeeded ? "" : ", failed") << "\n";
    }
    return text.str();
  }

  void compare(const minix_image& image, const std::string& path, const image_file& promised) {
    if (!image.has(path)) return complain(path + " is lost");
    const image_file& found = image.files().at(path);
    if (found.directory != promised.directory) return complain(path + " is of another kind");
    if (found.content.size() != promised.content.size())
      return complain(path + " has another length");
    if (found.content != promised.content) complain(path + " holds other bytes");
  }

  // Rule 6, from the medium's own record: up to the first flush of an attach only the replay
  // writes, and every sector that it writes was read in the same attach before the first write.
  void judge_order_of_commands() {
    std::set<u32> epochs;
    for (const command_record& command : stick_.log()) {
      const bool first_attach = command.epoch == stick_.log().front().epoch;
      if (!first_attach && epochs.insert(command.epoch.value()).second) judge_attach(command.epoch);
    }
  }

  void judge_attach(attach_epoch epoch) {
    std::set<u32> seen;
    bool writing = false;
    for (const command_record& command : stick_.log()) {
      if (command.epoch != epoch) continue;
      if (command.cmd == block_command::flush) return;
      writing |= command.cmd == block_command::write;
      for (u32 i = 0; i < command.sectors; ++i) {
        const u32 sector = command.first.value() + i;
        if (command.cmd == block_command::write && !seen.contains(sector))
          return complain("sector " + std::to_string(sector) + " was written unverified");
        if (!writing) seen.insert(sector);
      }
      outcome_.commands_verified += command.cmd == block_command::write;
    }
  }

  pull_plan plan_;
  medium stick_;
  medium other_;
  std::map<std::string, image_file> model_;  // what write and the others have acknowledged
  bool over_ = false;
  pull_outcome outcome_;
};

}  // namespace

std::string pull_outcome::complaint_text() const {
  std::string text;
  for (const std::string& each : complaints) text += "  " + each + "\n";
  return text;
}

pull_outcome run_with_pulls(const pull_plan& plan) { return experiment(plan).run(); }

std::string describe(const pull_plan& plan) {
  std::ostringstream text;
  text << "pulled at step " << plan.first_pull;
  if (plan.second_pull) text << " and step " << plan.second_pull << " of its return";
  text << ", cache loss " << static_cast<int>(plan.style.loss) << ", sector in flight "
       << static_cast<int>(plan.style.sector)
       << (plan.first == other_stick::none ? "" : ", another stick first") << ", " << plan.writers
       << " writers, seed " << plan.seed;
  return text.str();
}

}  // namespace sim
