// input_queue.h against a model: lines, marks and what is still edited, in a deque.
#include "drivers/char/input_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t CELLS = 2048;
constexpr int END = 256;  // in the mark of an end of file, beside its character
constexpr char CTRL_D = 4;

class model {
 public:
  bool put(char c) {
    if (cells_.size() + 1 >= CELLS) return false;
    cells_.push_back(static_cast<u8>(c));
    return true;
  }
  bool finish(int cell) {
    if (cells_.size() >= CELLS) return false;
    cells_.push_back(cell);
    commit();
    return true;
  }
  std::optional<char> erase() {
    if (cells_.size() == committed_) return {};
    const char last = static_cast<char>(cells_.back());
    cells_.pop_back();
    return last;
  }
  void commit() { committed_ = cells_.size(); }
  void clear() {
    cells_.clear();
    committed_ = 0;
  }
  bool readable() const { return committed_ > 0; }
  std::string take(size_t most, bool one_line) {
    std::string taken;
    bool ended = false;
    while (!ended && taken.size() < most && readable()) {
      const int cell = next();
      ended = one_line && (cell & END || cell == '\n');
      if (!ended || cell == '\n') taken += static_cast<char>(cell);
    }
    if (one_line && !ended && !taken.empty() && readable() && cells_.front() & END) next();
    return taken;
  }

 private:
  int next() {
    const int cell = cells_.front();
    cells_.pop_front();
    --committed_;
    return cell;
  }
  std::deque<int> cells_;
  size_t committed_ = 0;
};

std::string take(input_queue& queue, size_t most, bool one_line = true) {
  std::vector<byte> to(most);
  const u32 taken = queue.take(to, one_line);
  return {reinterpret_cast<const char*>(to.data()), taken};
}

void type(input_queue& queue, std::string_view text) {
  for (const char c : text) EXPECT_TRUE(c == '\n' ? queue.put_newline() : queue.put(c));
}

TEST(input_queue, random_operations_like_a_deque) {
  std::mt19937 random(1);
  for (const u32 rarely : {4u, 40u, 4000u}) {  // how often it is read, from often to hardly ever
    input_queue ours;
    model theirs;
    for (int step = 0; step < 12000; ++step) {
      const char c = static_cast<char>(random());
      switch (random() % 10) {
        case 0: ASSERT_EQ(ours.put_newline(), theirs.finish('\n')); break;
        case 1: ASSERT_EQ(ours.erase(), theirs.erase()); break;
        case 2:
          if (random() % 5 == 0) {
            ASSERT_EQ(ours.put_end_of_file(c), theirs.finish(END | static_cast<u8>(c)));
          }
          break;
        case 3:
          if (random() % 50 == 0) {
            ours.commit();
            theirs.commit();
          }
          break;
        default: ASSERT_EQ(ours.put(c), theirs.put(c));
      }
      if (random() % (rarely * 100) == 0) {
        ours.clear();
        theirs.clear();
      }
      if (random() % rarely == 0) {
        const size_t most = random() % 9;
        const bool one_line = random() % 3 != 0;
        ASSERT_EQ(take(ours, most, one_line), theirs.take(most, one_line));
      }
      ASSERT_EQ(ours.readable(), theirs.readable());
    }
    while (theirs.readable()) ASSERT_EQ(take(ours, 100), theirs.take(100, true));
  }
}

TEST(input_queue, room_is_left_for_the_end_of_a_line) {
  for (const bool newline : {true, false}) {
    input_queue queue;
    for (size_t i = 0; i < CELLS - 1; ++i) ASSERT_TRUE(queue.put('x')) << i;
    EXPECT_FALSE(queue.put('y'));
    EXPECT_TRUE(newline ? queue.put_newline() : queue.put_end_of_file(CTRL_D));
    EXPECT_FALSE(queue.put('y'));
    EXPECT_FALSE(queue.put_newline());
    EXPECT_FALSE(queue.put_end_of_file(CTRL_D));
    EXPECT_EQ(take(queue, 2 * CELLS), std::string(CELLS - 1, 'x') + (newline ? "\n" : ""));
    EXPECT_FALSE(queue.readable());
    type(queue, "again\n");
    EXPECT_EQ(take(queue, 100), "again\n");
  }
}

// POSIX, 11.1.9, EOF: the characters that wait are handed out, and the mark is discarded. Only one
// with nothing before it is the end of the file, whatever the size of the reader's buffer.
TEST(input_queue, a_mark_behind_a_part_of_a_line_ends_no_file) {
  for (size_t most = 1; most <= 5; ++most) {
    input_queue queue;
    type(queue, "abc");
    queue.put_end_of_file(CTRL_D);
    type(queue, "d\n");
    std::string text;
    while (queue.readable()) {
      const std::string part = take(queue, most);
      ASSERT_FALSE(part.empty()) << "a false end of file, reading " << most;
      text += part;
    }
    EXPECT_EQ(text, "abcd\n");
  }
}

TEST(input_queue, a_mark_behind_a_line_or_another_mark_ends_the_file) {
  for (size_t most = 1; most <= 5; ++most) {
    input_queue queue;
    type(queue, "ab\n");
    queue.put_end_of_file(CTRL_D);
    queue.put_end_of_file(CTRL_D);
    std::string text;
    while (text.size() < 3) text += take(queue, most);
    EXPECT_EQ(text, "ab\n");
    for (int end = 0; end < 2; ++end) {
      EXPECT_TRUE(queue.readable());
      EXPECT_EQ(take(queue, most), "");
    }
    EXPECT_FALSE(queue.readable());
  }
}

TEST(input_queue, a_read_of_nothing_takes_nothing) {
  input_queue queue;
  queue.put_end_of_file(CTRL_D);
  EXPECT_EQ(take(queue, 0), "");
  EXPECT_TRUE(queue.readable());
}

}  // namespace
