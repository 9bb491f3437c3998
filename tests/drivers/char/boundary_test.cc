// The limits of the character devices: typed text that is not read, info files, major numbers.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "drivers/char/char_device.h"
#include "drivers/char/info_device.h"
#include "drivers/char/input_queue.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace {

// --- input_queue

constexpr u32 most_typed = 2047;  // characters without an end of the line

std::string take(input_queue& queue, u32 most, bool one_line = true) {
  std::string text(most, '\0');
  text.resize(queue.take(std::as_writable_bytes(std::span(text)), one_line));
  return text;
}

char typed(u32 i) { return static_cast<char>('a' + i % 26); }

std::string typed_text(u32 length) {
  std::string text(length, '\0');
  for (u32 i = 0; i < length; ++i) text[i] = typed(i);
  return text;
}

TEST(boundaries, a_line_of_the_terminal_keeps_room_for_its_end) {
  for (const u32 length : {most_typed - 1, most_typed, most_typed + 1}) {
    input_queue queue;
    for (u32 i = 0; i < length; ++i) EXPECT_EQ(queue.put(typed(i)), i < most_typed) << i;
    EXPECT_FALSE(queue.readable());
    EXPECT_TRUE(queue.put_newline()) << length;
    const u32 kept = std::min(length, most_typed);
    EXPECT_EQ(take(queue, 4096), typed_text(kept) + "\n");
    EXPECT_FALSE(queue.readable());
  }
}

TEST(boundaries, a_full_terminal_takes_nothing_until_it_is_read_or_erased) {
  for (const bool end_of_file : {false, true}) {
    input_queue queue;
    const auto end_line = [&] {
      return end_of_file ? queue.put_end_of_file('\x04') : queue.put_newline();
    };
    for (u32 i = 0; i < most_typed; ++i) ASSERT_TRUE(queue.put(typed(i)));
    EXPECT_EQ(queue.erase(), typed(most_typed - 1));
    EXPECT_TRUE(queue.put('X'));
    EXPECT_FALSE(queue.put('Y'));
    EXPECT_TRUE(end_line());
    EXPECT_FALSE(end_line()) << "not one cell is left";
    EXPECT_FALSE(queue.put('Y'));
    EXPECT_FALSE(queue.erase()) << "what is committed stays";
    EXPECT_EQ(take(queue, 1), "a");
    EXPECT_FALSE(queue.put('Y')) << "the cell is kept for an end of the line";
    EXPECT_EQ(take(queue, 4096),
              typed_text(most_typed - 1).substr(1) + "X" + (end_of_file ? "" : "\n"));
    EXPECT_TRUE(queue.put('Y'));
  }
}

// Lines of odd lengths, so that the end of the array comes at every place of a line.
TEST(boundaries, lines_go_round_the_array_of_the_terminal) {
  input_queue queue;
  for (u32 round = 0; round < 3000; ++round) {
    const u32 length = 1 + round * 7 % 97;
    for (u32 i = 0; i < length; ++i) ASSERT_TRUE(queue.put(typed(i)));
    ASSERT_TRUE(queue.put_newline());
    ASSERT_EQ(take(queue, 100), typed_text(length) + "\n");
    ASSERT_FALSE(queue.readable());
  }
}

TEST(boundaries, a_read_takes_as_much_of_a_line_as_it_has_room_for) {
  for (const u32 room : {4u, 5u, 6u, 7u}) {
    input_queue queue;
    for (const char c : {'o', 'n', 'e', '1', '\n'})
      ASSERT_TRUE(c == '\n' ? queue.put_newline() : queue.put(c));
    ASSERT_TRUE(queue.put('2') && queue.put_newline());
    EXPECT_EQ(take(queue, room), std::string("one1\n").substr(0, room));
    EXPECT_EQ(take(queue, 10), room < 5 ? "\n" : "2\n");
  }
}

// --- info files

std::string last_line;
u32 commands = 0;
u32 text_length = 0;

result<void> note_command(std::string_view line) {
  last_line = line;
  ++commands;
  return {};
}
void print_so_many(text_sink& out) {
  for (u32 i = 0; i < text_length; ++i) out.print("%c", typed(i));
}

constexpr u8 info_minor = static_cast<u8>(abi::info_file::disks);

void with_info_file(const std::function<void(const char_device&)>& body) {
  sim::run(1, [&] {
    {
      const sim::kept_memory for_ever;
      info_init();
    }
    register_info(abi::info_file::disks, print_so_many, note_command);
    body(**find_char_device(dev_id(abi::major_info, info_minor)));
  });
}

TEST(boundaries, a_command_of_an_info_file_has_at_most_255_bytes) {
  with_info_file([](const char_device& device) {
    for (const u32 length : {254u, 255u, 256u, 257u}) {
      commands = 0;
      last_line.clear();
      const std::string line = typed_text(length - 1) + "\n";
      const result<u32> done = device.write(info_minor, std::as_bytes(std::span(line)), 0, 0);
      if (length <= 255) {
        EXPECT_EQ(done, length);
        EXPECT_EQ(last_line, typed_text(length - 1));
      } else {
        EXPECT_EQ(done, fail(error::e2big));
      }
      EXPECT_EQ(commands, length <= 255 ? 1u : 0u) << "no part of a line is a command";
    }
  });
}

TEST(boundaries, a_text_of_an_info_file_is_cut_where_its_buffer_ends) {
  with_info_file([](const char_device& device) {
    constexpr u32 most = 16 * 4096 - 1;
    for (const u32 length : {most - 1, most, most + 1}) {
      text_length = length;
      std::string text(most + 100, '\0');
      const result<u32> done =
          device.read(info_minor, std::as_writable_bytes(std::span(text)), 0, 0);
      ASSERT_EQ(done, std::min(length, most));
      EXPECT_EQ(text.substr(0, *done), typed_text(*done));
      const auto byte_at = std::as_writable_bytes(std::span(text)).first(2);
      EXPECT_EQ(device.read(info_minor, byte_at, *done - 1, 0), 1u);
      EXPECT_EQ(device.read(info_minor, byte_at, *done, 0), 0u);
      EXPECT_EQ(device.read(info_minor, byte_at, *done + 1, 0), 0u);
    }
  });
}

TEST(boundaries, numbers_of_info_files_end_at_15) {
  with_info_file([](const char_device& device) {
    std::array<byte, 4> to;
    text_length = 3;
    EXPECT_EQ(device.read(info_minor, to, 0, 0), 3u);
    for (const u8 minor : {u8{15}, u8{16}, u8{17}, u8{255}})
      EXPECT_EQ(find_char_device(dev_id(abi::major_info, minor)), fail(error::enxio)) << u32{minor};
  });
}

// --- major numbers

TEST(boundaries, the_last_major_number_has_a_device_and_the_next_none) {
  sim::run(1, [] {
    static constexpr char_device device;
    register_char_device(15, device);
    EXPECT_EQ(find_char_device(dev_id(15, 0)), &device);
    EXPECT_EQ(find_char_device(dev_id(15, 255)), &device);
    for (const u8 major : {u8{0}, u8{14}, u8{16}, u8{17}, u8{255}})
      EXPECT_EQ(find_char_device(dev_id(major, 0)), fail(error::enxio)) << u32{major};
  });
  sim::world world({.expect_panic = true});
  world.run([] {
    static constexpr char_device device;
    register_char_device(16, device);
  });
  EXPECT_TRUE(world.panicked());
}

}  // namespace
