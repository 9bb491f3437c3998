#include "tests/fs/checkpoint/alone/set_model.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sim {

using checkpoint::slot;
using checkpoint::slot_state;

bool modelled_slot::in_flight() const {
  return state == slot_state::issued || state == slot_state::rewriting;
}

bool modelled_slot::full() const {
  return base_known && versions.size() == checkpoint::NR_VERSIONS && stamp != 0 && !in_flight();
}

void modelled_slot::tear() {
  base_known = false;
  versions.clear();
}

void set_model::arrived(u32 caches_lost) {
  slots.clear();
  stamp_ = plugged_ = flushed_ = 0;
  caches_lost_ = caches_lost;
}

void set_model::changed(u32 block, const block_content& before, bool known,
                        const block_content& after, ino_nr owner) {
  const bool fresh = !slots.contains(block);
  modelled_slot& s = slots[block];
  if (fresh) {
    s.base_known = known;
    if (known) s.versions.push_back({before, 0});
  } else {
    remember(s);
  }
  s.state = slot_state::held;
  s.stamp = 0;
  s.content = after;
  s.owner = owner;
}

// The content that is about to change may be on the medium, whole or in part.
void set_model::remember(modelled_slot& s) {
  if (s.in_flight()) return s.tear();
  if (s.stamp == 0) return;
  if (s.versions.size() == checkpoint::NR_VERSIONS) s.versions.erase(s.versions.begin());
  s.versions.push_back({s.content, s.stamp});
}

void set_model::issued(u32 block) {
  if (slots.contains(block)) slots[block].state = slot_state::issued;
}

void set_model::rewriting(u32 block) { slots.at(block).state = slot_state::rewriting; }

void set_model::write_ended(u32 block, bool by_region, bool good, bool sent, bool refused) {
  if (good) ++stamp_;
  const auto found = slots.find(block);
  if (found == slots.end()) return;
  modelled_slot& s = found->second;
  if (by_region && s.state != slot_state::rewriting && sent) s.tear();
  if (s.state != (by_region ? slot_state::rewriting : slot_state::issued)) return;
  if (good || sent) s.refused = refused;
  if (good) {
    s.state = slot_state::written;
    s.stamp = stamp_;
  } else if (sent && by_region) {
    lose(s);
  } else if (sent) {
    s.state = slot_state::held;
    s.stamp = 0;
    s.tear();
  } else if (by_region) {
    s.state = slot_state::lost;
  } else {
    s.state = s.stamp ? slot_state::written : slot_state::held;
  }
}

void set_model::lose(modelled_slot& s) {
  s.state = slot_state::lost;
  s.stamp = 0;
  s.tear();
}

// The newest version that a flush has proved is the last durable content; older ones are past.
void set_model::prove(modelled_slot& s) const {
  for (size_t i = s.versions.size(); i-- > 0;) {
    if (s.versions[i].stamp <= plugged_ || s.versions[i].stamp > stamp_of_flush_) continue;
    s.versions.erase(s.versions.begin(), s.versions.begin() + static_cast<std::ptrdiff_t>(i));
    s.base_known = true;
    return;
  }
}

void set_model::flush_ended(bool good, u32 caches_lost) {
  if (good && caches_lost == caches_lost_) {
    flushed_ = stamp_of_flush_;
    std::erase_if(slots, [&](const auto& each) {
      return each.second.state == slot_state::written && each.second.stamp > plugged_ &&
             each.second.stamp <= stamp_of_flush_;
    });
    for (auto& [block, s] : slots) prove(s);
    return;
  }
  caches_lost_ = caches_lost;
  for (auto& [block, s] : slots) {
    for (auto& version : s.versions)
      if (version.stamp > flushed_) version.stamp = 0;
    if (s.state == slot_state::written) lose(s);
  }
}

void set_model::pulled() {
  for (auto& [block, s] : slots)
    if (s.in_flight()) s.tear();
}

void set_model::replayed() {
  for (auto& [block, s] : slots) s.state = slot_state::lost;
}

void set_model::operation_ended() {
  for (auto& [block, s] : slots) s.charged = false;
}

u32 set_model::charged() const {
  return static_cast<u32>(
      std::ranges::count_if(slots, [](const auto& each) { return each.second.charged; }));
}

void set_model::expect_same(checkpoint::volume& v) const {
  EXPECT_EQ(checkpoint::held_blocks(v), slots.size());
  EXPECT_EQ(v.last_stamp.value(), stamp_);
  for (const auto& [block, expected] : slots) {
    slot* s = checkpoint::find_slot(dev_, block_nr{block});
    ASSERT_TRUE(s) << "block " << block << " has lost its slot";
    expect_slot(block, *s);
  }
}

void set_model::expect_slot(u32 block, slot& s) const {
  const modelled_slot& expected = slots.at(block);
  const auto name = ::testing::Message() << "block " << block;
  EXPECT_EQ(s.state, expected.state) << name;
  EXPECT_EQ(s.refused, expected.refused) << name;
  EXPECT_EQ(s.base_known, expected.base_known) << name;
  EXPECT_EQ(s.written.value(), expected.stamp) << name;
  EXPECT_EQ(s.owner, expected.owner) << name;
  EXPECT_EQ(s.nr_versions, expected.versions.size()) << name;
  EXPECT_TRUE(std::ranges::equal(s.bytes(), expected.content)) << name;
}

}  // namespace sim
