#include "tests/fs/pull_sweep.h"

#include <memory>
#include <set>
#include <sstream>

#include "fs/buffer/buffer_table.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/pull_judge.h"
#include "tests/fs/pull_workload.h"
#include "tests/fs/session.h"
#include "tests/sim/memory.h"

namespace sim {
namespace {

using volume_state = checkpoint::volume_state;

constexpr u32 image_blocks = 400;
constexpr int umount_tries = 6;

// A file system that another machine has used before.
const std::vector<byte>& used_image() {
  static std::vector<byte> image;
  if (!image.empty()) return image;
  medium stick(mkfs_minix(image_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    kassert(process.mount() && process.mkdir("/mnt/music"));
    for (const char* name : {"/mnt/one", "/mnt/two", "/mnt/music/three"})
      kassert(process.write(name, pattern(20'000, 77)));
    kassert(process.umount());
  });
  return image = {stick.durable().begin(), stick.durable().end()};
}

std::vector<byte> image_of(other_stick which) {
  return which == other_stick::same_shape ? used_image() : mkfs_minix(image_blocks, 96);
}

// One run: the stick, the fiber that pulls and plugs it, the processes, and what they were
// promised.
class experiment {
 public:
  explicit experiment(const pull_plan& plan)
      : plan_(plan),
        stick_(plan.what == workload::everything ? mkfs_minix(image_blocks) : used_image()),
        other_(image_of(plan.first)) {
    stick_.flush_lies = plan.flush_lies;
    stick_.most_latency = 400_us;
    if (plan.usb) machine_ = std::make_unique<usb_machine>(plan.usb->controller);
    if (plan.usb) stick_.phase = [this] { return static_cast<u8>(phase_now()); };
    stick_.on_pull = [this] {
      waits_.pulled();
      if (!machine_) waits_.told();
    };
    if (machine_) machine_->controller().before_pull_event = [this] { waits_.told(); };
    if (plan.first_pull) stick_.pull_at(plan.first_pull, plan.style);
  }

  pull_outcome run() {
    // Without interrupts a task finds its event when it looks.
    const bool quiet = plan_.usb && !plan_.usb->controller.interrupt_line;
    world world({.seed = plan_.seed, .time_limit = 3000_s, .plain_sleeps = quiet});
    world.run([&] { live(); });
    outcome_.story = world.console() + log_text(stick_);
    judge_waits(quiet);
    if (world.panicked()) complain("panic: " + world.panic_message());
    complain_all(judge_medium(stick_, work_.promised(), plan_.ask_fsck));
    if (left_in_port_) complain_all(judge_state(stick_));
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
  void complain_all(const complaint_list& list) {
    for (const std::string& each : list) complain(each);
  }

  // --- the world ---

  void live() {
    waits_.begin();
    session process(boot_with_root({.buffers = 64, .slots = 128}));
    const u32 free_before = checkpoint::unreserved();
    if (machine_) power_on();
    plug(stick_, plan_.usb ? plan_.usb->port : 0);
    auto hand = spawn("hand", [&] { bring_back(); });
    await_state(sda, volume_state::live);
    if (work_.demand(mount(process), "mount")) {
      plugs_at_mount_ = stick_.plugs();
      work_.run(process);
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
    begin_mischief(*machine_, stick_, plan_.usb->trouble);
    sleep_for(100_ms);
    pages_before_ = free_page_count();
    tasks_before_ = here().kernel_tasks();
  }

  void plug(medium& stick, u32 port) {
    waits_.plugged();
    if (!machine_) return stick.plug();
    disturb_plug(*machine_, port, plan_.usb->trouble);
    stick.plug(machine_->port(port));
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

  bool is_disturbed() const { return plan_.usb && plan_.usb->trouble.answers != 0; }

  phase phase_now() {
    usb_stick& device = machine_->stick_of(stick_);
    if (machine_->controller().any_port_resetting()) return phase::port_reset;
    if (!device.ready_for_use()) return phase::enumeration;
    if (state_of(sda) == volume_state::verify) return phase::verify;
    if (state_of(sda) == volume_state::replay) return phase::replay;
    return device.flushing() ? phase::flush : phase::working;
  }

  // Nothing is plugged in any more, and no task has anything to do.
  void look_for_leaks() {
    if (machine_->controller().slots_in_use() != 0) complain("a slot of the controller leaked");
    if (free_page_count() != pages_before_) complain("memory leaked");
    if (memory().refused() > 0) complain("memory was asked for after the pull");
    if (here().kernel_tasks() != tasks_before_) complain("a task leaked");
  }

  void leave(session& process) {
    result<void> left = fail(error::eio);
    for (int i = 0; i < umount_tries && !left; ++i) {
      left = process.umount();
      if (!left) sleep_for(5_s);
    }
    left_in_port_ = stick_.plugged();
    work_.demand(left, "umount");
  }

  // The stick stays out for a while, and another one may be plugged in before it.
  void bring_back() {
    while (!over_) {
      if (stick_.plugged()) {
        sleep_for(20_ms);
        continue;
      }
      if (plan_.starved) starve();
      sleep_for(duration{static_cast<i64>(random_below(3'000'000'000))});
      if (plan_.first != other_stick::none) try_other_stick();
      plug_again();
    }
  }

  // What a stick that comes back needs has been reserved at boot: nothing is even asked for.
  void starve() {
    memory().refuse_all();
    fill_task_table();
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

  // Ends with the return, so that its steps are counted and no others. A pull wakes no queue: it is
  // looked for every 20 ms.
  void await_live() {
    wait_queue& changed = checkpoint::all_volumes()[0].changed;
    const auto live = [] { return state_of(sda) == volume_state::live; };
    const instant deadline = now() + (is_disturbed() ? 60_s : 10_s);
    while (!live() && stick_.plugged() && now() < deadline) {
      const instant next_look = now() + 20_ms;
      while (!live() && sleep_on(changed, next_look) == wake_reason::woken) {
      }
    }
  }

  void put_away() {
    stick_.reads_are_steps = false;
    // After umount there is nothing left to lose, unless the stick has lied.
    const cache_loss loss = plan_.flush_lies ? cache_loss::none : cache_loss::all;
    if (stick_.plugged()) stick_.pull({.loss = loss});
    sleep_for(1_s);
  }

  // --- the judgement ---

  // A pull is noticed at once: soon every task that waited for the stick goes on.
  void judge_waits(bool quiet) {
    outcome_.waited = waits_.end();
    if (outcome_.waited.time > (quiet ? longest_wait_without : longest_wait_with_interrupts))
      complain("a task has waited " + std::to_string(outcome_.waited.time.ns / 1000) +
               " us for a stick that was pulled");
  }

  void judge_order_of_commands() {
    std::set<u32> epochs;
    for (const command_record& command : stick_.log()) {
      const bool before = machine_ ? command.epoch.value() <= plugs_at_mount_
                                   : command.epoch == stick_.log().front().epoch;
      if (machine_ && nothing_to_replay_.contains(command.epoch.value())) continue;
      if (!before && epochs.insert(command.epoch.value()).second)
        complain_all(judge_attach(stick_, command.epoch, outcome_.commands_verified));
    }
  }

  pull_plan plan_;
  medium stick_;
  medium other_;
  bool over_ = false;
  pull_waits waits_;
  bool left_in_port_ = false;  // at the end of umount
  pull_outcome outcome_;
  pull_workload work_{plan_, outcome_.complaints};

  // behind a simulated controller
  std::unique_ptr<usb_machine> machine_;
  bool in_return_port_ = false;
  u32 plugs_at_mount_ = 0;
  std::set<u32> nothing_to_replay_;  // plugs after which no flush ends the return
  u32 pages_before_ = 0;
  std::vector<std::string> tasks_before_;
};

}  // namespace

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
