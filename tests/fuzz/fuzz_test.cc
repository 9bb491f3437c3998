// The slice of the fuzzing that `make test` has: every input of tests/fuzz/corpus, and some random
// changes of them, on the simulated machine with all its checks. `make fuzz` goes on from here.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/targets.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace {

using bytes = std::vector<byte>;
constexpr u32 random_inputs = 4000, inputs_of_a_boot = 500;

bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  bytes all(content.size());
  std::ranges::transform(content, all.begin(), [](char c) { return static_cast<byte>(c); });
  return all;
}

// In the order of their names.
std::vector<bytes> corpus_of(const fuzz::target& target) {
  const std::filesystem::path directory = std::filesystem::path("tests/fuzz/corpus") / target.name;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<bytes> inputs;
  for (const auto& path : paths) inputs.push_back(read_file(path));
  return inputs;
}

// One of the corpus with a few bytes changed, and another end.
bytes changed(const std::vector<bytes>& corpus, std::mt19937_64& random) {
  bytes input = corpus[random() % corpus.size()];
  const bytes& other = corpus[random() % corpus.size()];
  if (random() % 4 == 0 && !other.empty()) {
    input.resize(random() % (input.size() + 1));
    input.insert(input.end(), other.begin() + static_cast<ptrdiff_t>(random() % other.size()),
                 other.end());
  }
  for (u64 changes = random() % 8; changes > 0 && !input.empty(); --changes)
    input[random() % input.size()] = static_cast<byte>(random());
  return input;
}

void try_all(const fuzz::target& target, const std::vector<bytes>& inputs) {
  for (size_t first = 0; first < inputs.size(); first += inputs_of_a_boot)
    sim::run(1, [&] {
      {
        const sim::kept_memory of_the_boot;
        target.begin();
      }
      const size_t end = std::min(inputs.size(), first + inputs_of_a_boot);
      for (size_t i = first; i < end; ++i) {
        target.run(inputs[i]);
        if (::testing::Test::HasFailure()) return;
      }
    });
}

class fuzz_slice : public ::testing::TestWithParam<fuzz::target> {};

TEST_P(fuzz_slice, is_survived) {
  const std::vector<bytes> corpus = corpus_of(GetParam());
  ASSERT_GE(corpus.size(), 5u);
  std::mt19937_64 random(sim::seed_or(1));
  std::vector<bytes> inputs = corpus;
  for (u32 i = 0; i < random_inputs; ++i) inputs.push_back(changed(corpus, random));
  try_all(GetParam(), inputs);
}

INSTANTIATE_TEST_SUITE_P(of, fuzz_slice, ::testing::ValuesIn(fuzz::targets()),
                         [](const auto& tried) { return std::string(tried.param.name); });

}  // namespace
