// The stick is pulled at every step of a workload; every acknowledged byte must be there in the
// end.
#include "tests/fs/pull_sweep.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/scheduler.h"

namespace {

using sim::cache_loss;
using sim::in_flight;
using sim::pull_outcome;
using sim::pull_plan;

constexpr u64 fsck_every = 40;  // pulls; the own checker judges all

struct variant {
  const char* name;
  pull_plan plan;
};

void PrintTo(const variant& v, std::ostream* out) { *out << v.name; }

std::string reproduce(const pull_plan& plan) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string command = "again: REPLUG_STEP=" + std::to_string(plan.first_pull);
  if (plan.second_pull) command += " REPLUG_SECOND_STEP=" + std::to_string(plan.second_pull);
  return command + " REPLUG_SEED=" + std::to_string(plan.seed) +
         " build/host/replug_tests --gtest_filter=" + test->test_suite_name() + "." + test->name();
}

u64 number_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 0) : 0;
}

bool holds(const pull_plan& plan) {
  const pull_outcome outcome = sim::run_with_pulls(plan);
  EXPECT_TRUE(outcome.complaints.empty())
      << describe(plan) << "\n"
      << outcome.complaint_text() << "--- console and commands ---\n"
      << outcome.story << reproduce(plan);
  return outcome.complaints.empty();
}

void report_coverage(const char* name, u64 points) {
  std::printf("coverage: %s: %llu pull points\n", name, static_cast<unsigned long long>(points));
}

class pull_sweep : public ::testing::TestWithParam<variant> {};

// The steps of the run without a pull are those that a pull can hit.
TEST_P(pull_sweep, loses_nothing_at_any_step) {
  pull_plan plan = GetParam().plan;
  plan.seed = sim::seed_or(plan.seed);
  plan.ask_fsck = true;
  const pull_outcome undisturbed = sim::run_with_pulls(plan);
  ASSERT_EQ(undisturbed.complaint_text(), "");
  ASSERT_GT(undisturbed.steps, 100u);
  const u64 only = number_from("REPLUG_STEP");
  for (u64 step = 1; step <= undisturbed.steps; ++step) {
    if (only && step != only) continue;
    plan.first_pull = step;
    plan.ask_fsck = step % fsck_every == 0 || only;
    if (!holds(plan)) return;
  }
  report_coverage(GetParam().name, undisturbed.steps);
}

INSTANTIATE_TEST_SUITE_P(
    of, pull_sweep,
    ::testing::Values(
        variant{"nothing_cached_is_lost",
                {.seed = 11, .style = {cache_loss::none, in_flight::new_content}}},
        variant{"all_that_is_cached_is_lost",
                {.seed = 12, .style = {cache_loss::all, in_flight::old_content}}},
        variant{"some_is_lost_and_a_sector_torn",
                {.seed = 13, .style = {cache_loss::some, in_flight::torn}}},
        variant{"a_stick_of_another_shape_comes_first",
                {.seed = 14,
                 .style = {cache_loss::some, in_flight::torn},
                 .first = sim::other_stick::another_shape}},
        variant{"a_stick_of_the_same_shape_comes_first",
                {.seed = 16,
                 .style = {cache_loss::some, in_flight::torn},
                 .first = sim::other_stick::same_shape}},
        variant{"the_cache_and_the_region_are_full",
                {.seed = 17, .style = {cache_loss::some, in_flight::torn}, .large_file = true}},
        variant{"three_writers_at_once",
                {.seed = 15, .style = {cache_loss::some, in_flight::torn}, .writers = 3}}),
    [](const auto& each) { return std::string(each.param.name); });

// A pull during the return is only another pull (rule 7): at every read of the verification, every
// write and flush of the replay, for every n-th first pull.
class second_pull : public ::testing::TestWithParam<u64> {};

TEST_P(second_pull, is_only_another_pull) {
  constexpr u64 stride = 24;
  pull_plan plan{.seed = sim::seed_or(21), .style = {cache_loss::some, in_flight::torn}};
  const u64 steps = sim::run_with_pulls(plan).steps;
  const u64 only = number_from("REPLUG_STEP");
  const u64 only_second = number_from("REPLUG_SECOND_STEP");
  u64 points = 0;
  for (u64 step = only ? only : GetParam(); step <= (only ? only : steps); step += stride) {
    plan.first_pull = step;
    plan.second_pull = 0;
    const u64 steps_of_return = sim::run_with_pulls(plan).steps_of_return;
    for (u64 second = 1; second <= steps_of_return; ++second) {
      if (only_second && second != only_second) continue;
      plan.second_pull = second;
      ++points;
      if (!holds(plan)) return;
    }
  }
  report_coverage("second pulls", points);
}

INSTANTIATE_TEST_SUITE_P(starting_at, second_pull, ::testing::Values(3, 11, 19));

// The sweep must be able to fail. A stick that acknowledges a flush which it has not done makes the
// kernel give back its shadows too early, as if it released them at the status of the write; the
// sweep must notice.
TEST(pull_sweep_itself, catches_shadows_that_are_released_before_the_flush) {
  pull_plan plan{
      .seed = 31, .style = {cache_loss::all, in_flight::old_content}, .flush_lies = true};
  const u64 steps = sim::run_with_pulls(plan).steps;
  u64 caught = 0;
  for (u64 step = 1; step <= steps; step += 5) {
    plan.first_pull = step;
    caught += !sim::run_with_pulls(plan).complaints.empty();
  }
  EXPECT_GT(caught, 0u);
}

// The same stick without a pull is no trouble: it is the pull that the sweep judges.
TEST(pull_sweep_itself, does_not_cry_without_a_pull) {
  const pull_plan plan{.seed = 31, .style = {}, .flush_lies = true};
  EXPECT_EQ(sim::run_with_pulls(plan).complaint_text(), "");
}

}  // namespace
