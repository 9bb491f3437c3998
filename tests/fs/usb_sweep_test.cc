// The pull sweep over the whole stack: file system, checkpoint, block layer, mass storage, USB core
// and the xHCI driver, on a simulated controller. The stick is pulled before and after every
// doorbell, register write, TRB fetch, packet, status and event, in the middle of port resets and
// sectors, before a task masks interrupts, and again while it comes back.
//
// `make test` pulls at a few points of every kind in every phase; REPLUG_POINTS=N takes N of each
// and REPLUG_POINTS=all every one (`make proof`). docs/proof.md tells more.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/fs/pull_sweep.h"
#include "tests/sim/scheduler.h"

namespace sim {
namespace {

struct variant {
  const char* name;
  pull_style style;
  usb_setup usb;
  bool starved = false;  // memory and the table of tasks are full when it comes back
};

const std::array variants{
    variant{"comes_back_elsewhere", {cache_loss::some, in_flight::torn}, {{}, 1, 2}, true},
    variant{"high_speed_and_silence",
            {cache_loss::all, in_flight::old_content},
            {{.large_contexts = true, .at_pull = hc::in_flight_end::silence}, 3, 3}},
    variant{"qemu",
            {cache_loss::none, in_flight::new_content},
            {{.like_qemu = true, .scratchpads = 0}, 1, 1},
            true},
    variant{"to_high_speed_without_interrupts",
            {cache_loss::some, in_flight::torn},
            {{.interrupt_line = false}, 2, 4}},
    variant{"bad_cable",
            {cache_loss::some, in_flight::torn},
            {{}, 1, 3, {.packets = 300, .answers = 40, .plugs = 3}}},
};

using parameters = std::tuple<u8, size_t>;  // workload, variant

std::string name_of_test(const ::testing::TestParamInfo<parameters>& info) {
  const auto [what, which] = info.param;
  return std::string(name_of(static_cast<workload>(what))) + "_" + variants[which].name;
}

pull_plan plan_for(const parameters& chosen) {
  const auto [what, which] = chosen;
  return {.seed = seed_or(100 + what),
          .style = variants[which].style,
          .starved = variants[which].starved,
          .what = static_cast<workload>(what),
          .usb = variants[which].usb};
}

u64 number_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 0) : 0;
}

// How many points of each kind in each phase.
u64 points_of_each(u64 otherwise) {
  const char* text = std::getenv("REPLUG_POINTS");
  if (!text) return otherwise;
  return std::strcmp(text, "all") == 0 ? ~u64{0} : std::strtoull(text, nullptr, 0);
}

// Of the moments before a place in the product masks interrupts so many are chosen, and the last
// one, behind which nothing happens that would hide a lost wake-up. There are thousands.
u64 most_of_a_place(u64 most) { return most == ~u64{0} ? 20 : 1; }

// Steps first…last, at most so many of each kind in each phase, evenly spread; of masks, of each
// place.
std::vector<u64> choose_steps(const pull_outcome& seen, u64 first, u64 last, u64 most) {
  std::map<std::tuple<u8, u8, const void*>, std::vector<u64>> groups;
  for (u64 step = first; step <= last; ++step) {
    const medium::step_record& record = seen.trace[step - 1];
    const u8 phase = record.place ? u8{0} : record.phase;
    groups[{static_cast<u8>(record.kind), phase, record.place}].push_back(step);
  }
  std::vector<u64> chosen;
  for (const auto& [group, steps] : groups) {
    const bool is_place = std::get<2>(group);
    const u64 count = std::min<u64>(is_place ? most_of_a_place(most) : most, steps.size());
    for (u64 i = 0; i < count; ++i)
      chosen.push_back(steps[(2 * i + 1) * steps.size() / (2 * count)]);
    if (is_place && chosen.back() != steps.back()) chosen.push_back(steps.back());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

class coverage {
 public:
  void count(const longest_wait& waited) { waited_.add(waited); }
  void count(const medium::step_record& at) {
    ++kinds_[static_cast<u8>(at.kind)];
    ++phases_[at.phase];
  }
  u64 of(step_kind kind) const { return kinds_[static_cast<u8>(kind)]; }
  u64 of(phase at) const { return phases_[static_cast<u8>(at)]; }
  // Lines that tests/run_host_tests adds up.
  void print(const char* which) const {
    for (size_t i = 0; i < step_kinds; ++i)
      print(which, name_of(static_cast<step_kind>(i)), kinds_[i]);
    for (size_t i = 0; i < phases; ++i) {
      const std::string name = std::string("during_") + name_of(static_cast<phase>(i));
      print(which, name.c_str(), phases_[i]);
    }
  }
  // Another line for it, which tells the longest of all.
  void print_wait(const usb_setup& usb) const {
    std::printf("longest_wait: %s %lld %llu\n",
                usb.controller.interrupt_line ? "with_interrupts" : "without_interrupts",
                static_cast<long long>(waited_.time.ns / 1000),
                static_cast<unsigned long long>(waited_.pulls));
  }

 private:
  static void print(const char* which, const char* name, u64 count) {
    if (count > 0)
      std::printf("pull_points: %s %s %llu\n", which, name, static_cast<unsigned long long>(count));
  }
  std::array<u64, step_kinds> kinds_{};
  std::array<u64, phases> phases_{};
  longest_wait waited_;
};

bool holds(const pull_plan& plan, coverage& covered) {
  const pull_outcome outcome = run_with_pulls(plan);
  covered.count(outcome.waited);
  if (outcome.complaints.empty()) return true;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  ADD_FAILURE() << describe(plan) << "\n"
                << outcome.complaint_text() << "--- console and commands ---\n"
                << outcome.story << "again: REPLUG_STEP=" << plan.first_pull
                << " REPLUG_SECOND_STEP=" << plan.second_pull << " REPLUG_SEED=" << plan.seed
                << " build/host/replug_tests --gtest_filter=" << test->test_suite_name() << "."
                << test->name();
  return false;
}

class usb_pull_sweep : public ::testing::TestWithParam<parameters> {};

TEST_P(usb_pull_sweep, loses_nothing) {
  pull_plan plan = plan_for(GetParam());
  plan.ask_fsck = true;
  const pull_outcome undisturbed = run_with_pulls(plan);
  ASSERT_EQ(undisturbed.complaint_text(), "") << undisturbed.story;
  std::vector<u64> steps = choose_steps(undisturbed, 1, undisturbed.steps, points_of_each(5));
  if (const u64 only = number_from("REPLUG_STEP")) steps = {only};
  coverage covered;
  u64 runs = 0;
  for (u64 step : steps) {
    plan.first_pull = step;
    plan.ask_fsck = ++runs % 40 == 0;
    if (!holds(plan, covered)) return;
    covered.count(undisturbed.trace[step - 1]);
  }
  covered.print("first");
  covered.print_wait(*plan.usb);
  if (steps.size() == 1) return;
  for (step_kind kind :
       {step_kind::sector, step_kind::flushed, step_kind::status, step_kind::register_before,
        step_kind::register_after, step_kind::doorbell_before, step_kind::doorbell_after,
        step_kind::trb_fetch, step_kind::packet_before, step_kind::packet_after,
        step_kind::event_before, step_kind::event_after, step_kind::mask})
    EXPECT_GT(covered.of(kind), 0u) << "never pulled at " << name_of(kind);
  for (phase at : {phase::enumeration, phase::working, phase::flush})
    EXPECT_GT(covered.of(at), 0u) << "never pulled during " << name_of(at);
  if (plan.usb->port > hc::controller::super_ports) {
    EXPECT_GT(covered.of(step_kind::port_reset), 0u);
    EXPECT_GT(covered.of(phase::port_reset), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(of, usb_pull_sweep,
                         ::testing::Combine(::testing::Range(u8{1}, u8{workloads}),
                                            ::testing::Range(size_t{0}, variants.size())),
                         name_of_test);

// First pulls that leave something to be replayed: while sectors are on their way.
std::vector<u64> pulls_while_writing(const pull_outcome& seen, u64 most) {
  std::vector<u64> sectors;
  for (u64 step = 1; step <= seen.steps; ++step)
    if (seen.trace[step - 1].kind == step_kind::sector) sectors.push_back(step);
  std::vector<u64> chosen;
  const u64 count = std::min<u64>(most, sectors.size());
  for (u64 i = 0; i < count; ++i)
    chosen.push_back(sectors[(2 * i + 1) * sectors.size() / (2 * count)]);
  return chosen;
}

// Rule 7: a pull during the return is only another pull.
class usb_second_pull : public ::testing::TestWithParam<parameters> {};

TEST_P(usb_second_pull, is_only_another_pull) {
  pull_plan plan = plan_for(GetParam());
  const pull_outcome undisturbed = run_with_pulls(plan);
  const u64 only = number_from("REPLUG_STEP"), only_second = number_from("REPLUG_SECOND_STEP");
  const u64 count = points_of_each(1) == 1 ? 2 : 12;
  coverage covered;
  for (u64 step : only ? std::vector{only} : pulls_while_writing(undisturbed, count)) {
    plan.first_pull = step;
    plan.second_pull = 0;
    const pull_outcome once = run_with_pulls(plan);
    ASSERT_EQ(once.complaint_text(), "") << describe(plan) << once.story;
    const u64 before = once.steps_before_return;
    for (u64 second : choose_steps(once, before + 1, before + once.steps_of_return,
                                   only_second ? ~u64{0} : points_of_each(1))) {
      if (only_second && second != before + only_second) continue;
      plan.second_pull = second - before;
      if (!holds(plan, covered)) return;
      covered.count(once.trace[second - 1]);
    }
  }
  covered.print("second");
  covered.print_wait(*plan.usb);
  if (only_second) return;
  EXPECT_GT(covered.of(phase::verify), 0u);
  EXPECT_GT(covered.of(phase::replay), 0u);
}

INSTANTIATE_TEST_SUITE_P(of, usb_second_pull,
                         ::testing::Combine(::testing::Range(u8{1}, u8{workloads}),
                                            ::testing::Range(size_t{0}, variants.size())),
                         name_of_test);

// The sweep must be able to fail: a stick that acknowledges flushes which it has not done makes the
// kernel give its shadows back too early, and the sweep must report lost bytes.
TEST(usb_sweep_itself, catches_shadows_that_are_released_before_the_flush) {
  pull_plan plan{.seed = 31,
                 .style = {cache_loss::all, in_flight::old_content},
                 .flush_lies = true,
                 .what = workload::sync,
                 .usb = usb_setup{}};
  const pull_outcome undisturbed = run_with_pulls(plan);
  u64 caught = 0;
  for (u64 step : choose_steps(undisturbed, 1, undisturbed.steps, 3)) {
    plan.first_pull = step;
    caught += !run_with_pulls(plan).complaints.empty();
  }
  EXPECT_GT(caught, 0u);
}

}  // namespace
}  // namespace sim
