#include "tests/fs/pull_sweep.h"

#include <set>
#include <sstream>

#include "hal/clock.h"
#include "hal/memory.h"
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
      : plan_(plan),
        stick_(plan.what == workload::everything ? mkfs_minix(image_blocks) : used_image()),
        other_(image_of(plan.first)) {
    stick_.flush_lies = plan.flush_lies;
    stick_.most_latency = 400_us;
    if (plan.usb) machine_.emplace(plan.usb->controller);
    if (plan.usb) stick_.phase = [this] { return static_cast<u8>(phase_now()); };
    if (plan.first_pull) stick_.pull_at(plan.first_pull, plan.style);
    if (plan.what != workload::everything) promise_used_files();
  }

  pull_outcome run() {
    world world({.seed = plan_.seed, .time_limit = 3000_s});
    world.run([&] { live(); });
    outcome_.story = world.console() + log_text();
    if (world.panicked()) complain("panic: " + world.panic_message());
    judge_medium();
    judge_order_of_commands();
    if (other_.count(block_command::write) + other_.count(block_command::flush) > 0)
      complain("another stick was written to");
    if (machine_)
      for (const std::string& each : machine_->controller().violations())
        complain("the controller: " + each);
    outcome_.steps = stick_.steps();
    outcome_.trace = stick_.trace();
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
    if (machine_) power_on();
    plug(stick_, plan_.usb ? plan_.usb->port : 0);
    auto hand = spawn("hand", [&] { bring_back(); });
    await_state(sda, volume_state::live);
    if (demand(mount(process), "mount")) {
      plugs_at_mount_ = stick_.plugs();
      work(process);
      leave(process);
    }
    over_ = true;
    hand.join();
    put_away();
    if (checkpoint::unreserved() != free_before) complain("a slot of the region leaked");
    check_buffer_invariants();
    if (machine_) look_for_leaks();
  }

  void power_on() {
    machine_->power_on();
    machine_->watch(stick_);
    sleep_for(100_ms);
    pages_before_ = free_page_count();
    tasks_before_ = here().kernel_tasks();
  }

  void plug(medium& stick, u32 port) {
    if (machine_)
      stick.plug(machine_->port(port));
    else
      stick.plug();
  }

  // The stick may have been pulled before anything on it was known: then there is no device.
  result<void> mount(session& process) {
    result<void> mounted = process.mount();
    for (int i = 0; i < 10 && !mounted && machine_; ++i) {
      sleep_for(5_s);
      mounted = process.mount();
    }
    return mounted;
  }

  phase phase_now() {
    usb_stick& device = machine_->stick_of(stick_);
    if (machine_->controller().any_port_resetting()) return phase::port_reset;
    if (!device.ready_for_use()) return phase::enumeration;
    if (state_of(sda) == volume_state::verify) return phase::verify;
    if (state_of(sda) == volume_state::replay) return phase::replay;
    return device.flushing() ? phase::flush : phase::working;
  }

  // Nothing is plugged in any more, and nobody has anything to do.
  void look_for_leaks() {
    if (machine_->controller().slots_in_use() != 0) complain("a slot of the controller leaked");
    if (free_page_count() != pages_before_) complain("memory leaked");
    if (here().kernel_tasks() != tasks_before_) complain("a task leaked");
  }

  void work(session& process) {
    if (plan_.what != workload::everything) return work_little(process);
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

  // --- the small workloads: one thing each, on a file system with a few files ---

  void promise_used_files() {
    model_["/music"].directory = true;
    for (const char* name : {"/one", "/two", "/music/three"})
      model_[name].content = sample_text(20'000, 77);
  }

  void work_little(session& process) {
    begin_little(process);
    demand(sys_sync(), "sync");
    append(process, "/two", "the end");
  }

  void begin_little(session& process) {
    switch (plan_.what) {
      case workload::everything: return;
      case workload::create:
        for (const char* path : {"/new", "/music/new", "/newer"}) write(process, path, "");
        return;
      case workload::write: return write(process, "/new", sample_text(9'500, 5));
      case workload::append:
        for (u32 i = 0; i < 3; ++i) append(process, "/one", sample_text(700, i));
        return;
      case workload::overwrite: return overwrite(process, "/one", 8'000, sample_text(3'000, 6));
      case workload::mkdir: make_directory(process, "/d"); return make_directory(process, "/d/e");
      case workload::rmdir:
        make_directory(process, "/d");
        demand(sys_sync(), "sync");
        if (demand(process.rmdir("/mnt/d"), "rmdir")) model_.erase("/d");
        return;
      case workload::unlink: return unlink(process, "/one");
      case workload::link:
        if (demand(process.link("/mnt/one", "/mnt/music/uno"), "link"))
          model_["/music/uno"] = model_["/one"];
        return;
      case workload::rename:
        rename(process, "/one", "/music/one");
        return rename(process, "/music/three", "/two");
      case workload::truncate:
        if (demand(process.truncate("/mnt/one", 3'000), "truncate"))
          model_["/one"].content.resize(3'000);
        return;
      case workload::sync:
        append(process, "/one", "some");
        demand(sys_sync(), "sync");
        append(process, "/one", "more");
        demand(process.sync_file("/mnt/one"), "fsync");
        return;
      case workload::two_processes:
        in_parallel(2, [&](u32 number) {
          session mine = process.fork();
          if (number == 0) {
            write(mine, "/new", sample_text(5'000, 8));
            rename(mine, "/new", "/music/newer");
          } else {
            append(mine, "/one", sample_text(2'000, 9));
            unlink(mine, "/music/three");
          }
        });
    }
  }

  void write(session& process, const std::string& path, const std::string& text) {
    if (demand(process.write("/mnt" + path, text), "write")) model_[path].content = text;
  }
  void append(session& process, const std::string& path, const std::string& text) {
    if (demand(process.append("/mnt" + path, text), "append")) model_[path].content += text;
  }
  void overwrite(session& process, const std::string& path, u32 at, const std::string& text) {
    if (demand(process.write_at("/mnt" + path, at, text), "overwrite"))
      model_[path].content.replace(at, text.size(), text);
  }
  void make_directory(session& process, const std::string& path) {
    if (demand(process.mkdir("/mnt" + path), "mkdir")) model_[path].directory = true;
  }
  void unlink(session& process, const std::string& path) {
    if (demand(process.unlink("/mnt" + path), "unlink")) model_.erase(path);
  }
  void rename(session& process, const std::string& from, const std::string& to) {
    if (!demand(process.rename("/mnt" + from, "/mnt" + to), "rename")) return;
    model_[to] = model_[from];
    model_.erase(from);
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
    plug(other_, 2);
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
    in_return_port_ = !in_return_port_;
    const checkpoint::volume* missed = checkpoint::volume_of(sda);
    if (!missed || held_blocks(*missed) == 0) nothing_to_replay_.insert(stick_.plugs() + 1);
    plug(stick_, !plan_.usb ? 0 : in_return_port_ ? plan_.usb->return_port : plan_.usb->port);
    await_live();
    if (first) outcome_.steps_of_return = stick_.steps() - before;
    if (stick_.plugged() && state_of(sda) != volume_state::live)
      complain(std::string("the stick is back, but its volume is ") + name_of(state_of(sda)));
    stick_.reads_are_steps = plan_.second_pull && !first;
  }

  // Ends with the return, so that its steps are counted and no others, or soon after a pull.
  void await_live() {
    wait_queue& changed = checkpoint::all_volumes()[0].changed;
    const instant deadline = now() + 10_s;
    while (state_of(sda) != volume_state::live && stick_.plugged() && now() < deadline)
      sleep_on(changed, now() + 20_ms);
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
      const bool before = machine_ ? command.epoch.value() <= plugs_at_mount_
                                   : command.epoch == stick_.log().front().epoch;
      if (machine_ && nothing_to_replay_.contains(command.epoch.value())) continue;
      if (!before && epochs.insert(command.epoch.value()).second) judge_attach(command.epoch);
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

  // behind a simulated controller
  std::optional<usb_machine> machine_;
  bool in_return_port_ = false;
  u32 plugs_at_mount_ = 0;
  std::set<u32> nothing_to_replay_;  // plugs after which no flush ends the return
  u32 pages_before_ = 0;
  std::vector<std::string> tasks_before_;
};

}  // namespace

const char* name_of(workload what) {
  constexpr const char* names[workloads] = {
      "everything", "create", "write",  "append",   "overwrite", "mkdir",        "rmdir",
      "unlink",     "link",   "rename", "truncate", "sync",      "two_processes"};
  return names[static_cast<u8>(what)];
}

const char* name_of(phase now) {
  constexpr const char* names[phases] = {"enumeration", "port_reset", "working",
                                         "flush",       "verify",     "replay"};
  return names[static_cast<u8>(now)];
}

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
