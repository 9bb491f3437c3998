// Info files, /dev/null, /dev/zero, and the table of character devices.
#include "drivers/char/info_device.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "drivers/char/char_device.h"
#include "drivers/char/mem.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace {

constexpr u8 FILE_MINOR = static_cast<u8>(abi::info_file::usb);
constexpr u8 TEXT_ONLY_MINOR = static_cast<u8>(abi::info_file::kmsg);

std::string content;
std::vector<std::string> commands;

void write_content(text_sink& out) { out.print("%s", content.c_str()); }

result<void> note_command(std::string_view line) {
  if (line == "bad") return fail(error::erange);
  commands.emplace_back(line);
  return {};
}

void with_files(const std::function<void(const char_device&)>& body) {
  content = "0123456789";
  commands.clear();
  sim::run(1, [&] {
    {
      const sim::kept_memory for_ever;
      info_init();
    }
    register_info(abi::info_file::usb, write_content, note_command);
    register_info(abi::info_file::kmsg, write_content);
    body(**find_char_device(dev_id(abi::major_info, FILE_MINOR)));
  });
}

std::string read(const char_device& device, u32 count, u32 position, u8 minor = FILE_MINOR) {
  std::vector<byte> to(count + 1);
  const result<u32> got = device.read(minor, std::span(to).first(count), position, 0);
  if (!got) return "errno " + std::to_string(to_errno(got.error()));
  return {reinterpret_cast<const char*>(to.data()), *got};
}

result<u32> write(const char_device& device, std::string_view text, u8 minor = FILE_MINOR) {
  return device.write(minor, std::as_bytes(std::span(text)), 0, 0);
}

TEST(info_device, any_part_of_the_text_can_be_read) {
  with_files([](const char_device& device) {
    for (u32 position = 0; position <= 12; ++position)
      for (u32 count = 0; count <= 12; ++count)
        EXPECT_EQ(read(device, count, position),
                  position < 10 ? content.substr(position, count) : "");
    EXPECT_EQ(read(device, 1, ~0u), "");
    content = "new";
    EXPECT_EQ(read(device, 100, 0), "new");
    content = "";
    EXPECT_EQ(read(device, 100, 0), "");
  });
}

// Another file, and another reader of the same one, come between two reads of a text.
TEST(info_device, readers_do_not_disturb_each_other) {
  with_files([](const char_device& device) {
    register_info(abi::info_file::tasks, [](text_sink& out) { out.print("another text"); });
    constexpr u8 other = static_cast<u8>(abi::info_file::tasks);
    EXPECT_EQ(read(device, 4, 0), "0123");
    EXPECT_EQ(read(device, 7, 0, other), "another");
    EXPECT_EQ(read(device, 4, 4), "4567");
    EXPECT_EQ(read(device, 9, 7, other), " text");
    content = "now longer";
    EXPECT_EQ(read(device, 4, 4), "long") << "a text is of the moment of its read";
  });
}

TEST(info_device, a_text_of_64_kib_is_cut) {
  with_files([](const char_device& device) {
    for (const size_t size : {65534u, 65535u, 65536u, 70000u}) {
      content = std::string(size - 1, 'x') + "y";
      EXPECT_EQ(read(device, 80000, 0), content.substr(0, 65535)) << size;
    }
  });
}

TEST(info_device, files_that_nothing_has_registered_do_not_exist) {
  with_files([](const char_device& device) {
    for (u32 minor = 0; minor < 256; ++minor) {
      const bool there = minor == FILE_MINOR || minor == TEXT_ONLY_MINOR;
      const auto found = find_char_device(dev_id(abi::major_info, static_cast<u8>(minor)));
      EXPECT_EQ(found, there ? result<const char_device*>(&device) : fail(error::enxio)) << minor;
      if (there) {
        EXPECT_EQ(read(device, 100, 0, static_cast<u8>(minor)), content);
      }
    }
  });
}

TEST(info_device, each_line_that_is_written_is_a_command) {
  struct row {
    std::string written;
    std::vector<std::string> commands;
  };
  const std::vector<row> table = {
      {"", {}},
      {"\n", {}},
      {"a", {"a"}},
      {"a\n", {"a"}},
      {"one\ntwo", {"one", "two"}},
      {"one\ntwo three\n", {"one", "two three"}},
      {"\n\none\n\ntwo\n\n", {"one", "two"}},
      {std::string(255, 'x'), {std::string(255, 'x')}},
  };
  for (const row& each : table)
    with_files([&](const char_device& device) {
      EXPECT_EQ(write(device, each.written), each.written.size());
      EXPECT_EQ(commands, each.commands) << testing::PrintToString(each.written);
    });
}

TEST(info_device, a_command_that_fails_is_the_last_one) {
  with_files([](const char_device& device) {
    EXPECT_EQ(write(device, "one\nbad\ntwo\n"), fail(error::erange));
    EXPECT_EQ(commands, (std::vector<std::string>{"one"}));
  });
}

TEST(info_device, what_cannot_be_a_command) {
  with_files([](const char_device& device) {
    EXPECT_EQ(write(device, std::string(256, 'x')), fail(error::e2big));
    EXPECT_EQ(write(device, "a\n" + std::string(1000, 'x')), fail(error::e2big));
    EXPECT_EQ(write(device, "a", TEXT_ONLY_MINOR), fail(error::einval));
    EXPECT_TRUE(commands.empty());
  });
}

TEST(info_device, cannot_be_without_memory) {
  sim::world world({.expect_panic = true});
  world.run([] {
    sim::memory().refuse_all();
    info_init();
  });
  EXPECT_TRUE(world.panicked());
}

// --- /dev/null and /dev/zero ---

TEST(mem_device, null_and_zero) {
  sim::run(1, [] {
    mem_device_init();
    const char_device& device = **find_char_device(dev_id(abi::major_mem, 3));
    std::vector<byte> to(5000, byte{7});
    EXPECT_EQ(device.read(3, to, 0, 0), 0u);
    EXPECT_EQ(to, std::vector<byte>(5000, byte{7}));
    EXPECT_EQ(device.read(5, to, 0, 0), 5000u);
    EXPECT_EQ(to, std::vector<byte>(5000));
    EXPECT_FALSE(device.write) << "everything is accepted";
    for (u32 minor = 0; minor < 256; ++minor) {
      const bool there = minor == 3 || minor == 5;
      const auto found = find_char_device(dev_id(abi::major_mem, static_cast<u8>(minor)));
      EXPECT_EQ(found, there ? result<const char_device*>(&device) : fail(error::enxio)) << minor;
    }
  });
}

// --- the table of devices ---

constexpr char_device nothing = {};

TEST(char_device, is_found_by_its_major_number) {
  sim::run(1, [] {
    register_char_device(0, nothing);
    register_char_device(15, nothing);
    for (u32 major = 0; major < 256; ++major)
      for (const u8 minor : {u8{0}, u8{255}}) {
        const result<const char_device*> found =
            find_char_device(dev_id(static_cast<u8>(major), minor));
        if (major == 0 || major == 15)
          EXPECT_EQ(found, &nothing) << major;
        else
          EXPECT_EQ(found, fail(error::enxio)) << major;
      }
  });
}

TEST(char_device, has_a_number_of_its_own_below_16) {
  for (const u8 major : {u8{7}, u8{16}}) {
    sim::world world({.expect_panic = true});
    world.run([major] {
      register_char_device(7, nothing);
      register_char_device(major, nothing);
    });
    EXPECT_TRUE(world.panicked()) << int{major};
  }
}

}  // namespace
