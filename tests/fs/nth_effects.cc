#include "tests/fs/nth_effects.h"

#include <set>

#include "hal/clock.h"

namespace sim {
namespace {

// Several system calls, or one that POSIX lets do a part: after an error each byte is the old one
// or the new one.
bool may_do_a_part(const std::string& name) {
  static const std::set<std::string> some = {
      "write a new file", "write a large file",  "replace",        "overwrite",
      "append",           "write behind a hole", "write and fsync"};
  return some.contains(name);
}

// Between its two halves nothing of the tree is there.
bool hides_the_tree(const std::string& name) { return name == "umount and mount"; }

bool truncates(const std::string& name) { return name == "replace"; }

// Made again, it does not begin where it was, so the parts add up.
bool adds_up(const std::string& name) { return name == "append"; }

// Whether the file has its old bytes, a part of what was appended to it, and then all of that.
bool was_appended_again(const tree_node& before, const tree_node& after, const tree_node& seen) {
  const std::string bytes = after.content.substr(before.content.size());
  if (seen.content.size() < after.content.size()) return false;
  const size_t part = seen.content.size() - after.content.size();
  return part <= bytes.size() && seen.content == before.content + bytes.substr(0, part) + bytes;
}

// What must be there after a call that adds up has failed and was made again.
tree expected_end(const nth_effect& effect, const tree& seen) {
  tree expected = effect.after;
  for (auto& [path, node] : expected) {
    const auto before = effect.before.find(path), found = seen.find(path);
    if (before == effect.before.end() || found == seen.end() || before->second == node) continue;
    if (!was_appended_again(before->second, node, found->second)) continue;
    node.content = found->second.content;
    node.size = static_cast<u32>(node.content.size());
  }
  return expected;
}

nth_effect observe(const nth_call& call) {
  nth_effect effect;
  medium stick(nth_image());
  run(1, [&] {
    session process(boot_with_root({.buffers = 64, .slots = 128}));
    plug_as(stick, sda);
    if (call.mounted) EXPECT_OK(process.mount());
    const u32 since = begin_timed_call();
    effect.before = tree_of_calls(process, since);
    EXPECT_OK(call.make(process));
    effect.after = tree_of_calls(process, since);
    EXPECT_OK(process.umount());
  });
  return effect;
}

}  // namespace

const nth_effect& effect_of(const nth_call& call) {
  static std::map<std::string, nth_effect> known;
  const auto found = known.find(call.name);
  return found != known.end() ? found->second : known[call.name] = observe(call);
}

tree tree_of_calls(session& process, u32 since) {
  tree found = tree_of(process.context(), "/mnt", since);
  found.erase(std::string(nth_filler).substr(sizeof("/mnt") - 1));
  return found;
}

u32 begin_timed_call() {
  sleep_for(100_s);
  return current_time();
}

void judge_effect(const nth_call& call, const nth_effect& effect, bool succeeded,
                  const tree& seen) {
  if (succeeded) {
    EXPECT_EQ(difference(effect.after, seen), "") << "it said that it had succeeded";
  } else if (hides_the_tree(call.name)) {
    EXPECT_TRUE(seen == effect.before || seen.size() == 1) << difference(effect.before, seen);
  } else if (may_do_a_part(call.name)) {
    EXPECT_TRUE(is_between(effect.before, effect.after, seen, truncates(call.name)))
        << difference(effect.before, seen);
  } else {
    EXPECT_EQ(difference(effect.before, seen), "") << "it said that it had failed";
  }
}

void judge_end(const nth_call& call, const nth_effect& effect, bool succeeded, const tree& seen) {
  const bool added = !succeeded && adds_up(call.name);
  EXPECT_EQ(difference(added ? expected_end(effect, seen) : effect.after, seen), "")
      << "in the end";
}

}  // namespace sim
