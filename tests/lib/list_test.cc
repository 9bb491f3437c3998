// lib/intrusive_list.h against std::list.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <list>
#include <random>
#include <vector>

#include "lib/intrusive_list.h"

namespace {

struct element {
  int value = 0;
  list_link<element> link;
  list_link<element> other_link;
};
using element_list = intrusive_list<element, &element::link>;

std::vector<int> forward(const element_list& list) {
  std::vector<int> values;
  for (const element& e : list) values.push_back(e.value);
  return values;
}

std::vector<int> backward(const element_list& list) {
  std::vector<int> values;
  for (element* e = list.back(); e; e = element_list::prev(*e)) values.push_back(e->value);
  return values;
}

void expect_same(const element_list& ours, const std::list<int>& theirs) {
  ASSERT_EQ(forward(ours), std::vector<int>(theirs.begin(), theirs.end()));
  ASSERT_EQ(backward(ours), std::vector<int>(theirs.rbegin(), theirs.rend()));
  ASSERT_EQ(ours.size(), theirs.size());
  ASSERT_EQ(ours.empty(), theirs.empty());
}

TEST(intrusive_list, random_operations_like_std_list) {
  std::mt19937 random(1);
  std::array<element, 12> elements;
  for (size_t i = 0; i < elements.size(); ++i) elements[i].value = static_cast<int>(i);
  element_list ours;
  std::list<int> theirs;
  for (int step = 0; step < 20000; ++step) {
    element& e = elements[random() % elements.size()];
    element& other = elements[random() % elements.size()];
    if (e.link.linked() && !other.link.linked()) {
      ours.replace(e, other);
      std::ranges::replace(theirs, e.value, other.value);
      ASSERT_TRUE(ours.contains(other) && !e.link.linked());
    } else if (e.link.linked()) {
      ASSERT_TRUE(ours.contains(e));
      ours.remove(e);
      theirs.remove(e.value);
      ASSERT_FALSE(ours.contains(e));
    } else if (random() % 3 == 0) {
      ours.push_front(e);
      theirs.push_front(e.value);
    } else if (random() % 2 || theirs.empty()) {
      ours.push_back(e);
      theirs.push_back(e.value);
    } else {
      const int before = *std::next(theirs.begin(), static_cast<int>(random() % theirs.size()));
      ours.insert_before(&elements[static_cast<size_t>(before)], e);
      theirs.insert(std::find(theirs.begin(), theirs.end(), before), e.value);
    }
    ASSERT_NO_FATAL_FAILURE(expect_same(ours, theirs));
  }
}

TEST(intrusive_list, sorts_and_keeps_the_order_of_equals) {
  std::mt19937 random(1);
  for (u32 size : {0u, 1u, 2u, 3u, 17u, 200u}) {
    std::vector<element> elements(size);
    element_list ours;
    std::list<int> theirs;
    for (element& e : elements) {
      e.value = static_cast<int>(random() % 1000);
      ours.push_back(e);
      theirs.push_back(e.value);
    }
    const auto before = [](const element& a, const element& b) {
      return a.value / 10 < b.value / 10;
    };
    ours.sort(before);
    theirs.sort([](int a, int b) { return a / 10 < b / 10; });
    expect_same(ours, theirs);
    ours.sort(before);
    expect_same(ours, theirs);
  }
}

// An element that leaves a list is as one that has never been on any.
TEST(intrusive_list, an_element_that_is_off_has_no_neighbours) {
  std::array<element, 3> elements;
  element_list list;
  for (element& e : elements) list.push_back(e);
  EXPECT_EQ(element_list::next(elements[0]), &elements[1]);
  list.remove(elements[1]);
  EXPECT_FALSE(elements[1].link.linked());
  EXPECT_EQ(element_list::next(elements[1]), nullptr);
  EXPECT_EQ(element_list::prev(elements[1]), nullptr);
  EXPECT_EQ(element_list::next(elements[0]), &elements[2]);
  EXPECT_EQ(list.front(), &elements[0]);
  EXPECT_EQ(list.back(), &elements[2]);
}

TEST(intrusive_list, pop_front_until_empty) {
  std::array<element, 3> elements;
  element_list list;
  for (element& e : elements) list.push_back(e);
  for (element& e : elements) EXPECT_EQ(list.pop_front(), &e);
  EXPECT_EQ(list.pop_front(), nullptr);
  EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, two_links_are_two_lists) {
  element e;
  element_list one;
  intrusive_list<element, &element::other_link> two;
  one.push_back(e);
  two.push_back(e);
  one.remove(e);
  EXPECT_FALSE(e.link.linked());
  EXPECT_EQ(two.front(), &e);
}

}  // namespace
