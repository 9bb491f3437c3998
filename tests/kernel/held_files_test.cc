// /dev/files: the files that wait for a stick or are in use, and the processes that use them.
#include <gtest/gtest.h>

#include <string>

#include "fs/checkpoint/volume.h"
#include "kernel/info.h"
#include "tests/kernel/mounted_stick.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

std::string files() {
  std::string memory(16384, '\0');
  text_sink out(std::span(memory.data(), memory.size()));
  print_files(out);
  return std::string(out.text());
}

void write_file(std::string_view path, u32 bytes) {
  const i32 fd = user::open(path, abi::o_wronly | abi::o_creat);
  EXPECT_EQ(user::write(fd, std::string(bytes, 'x')), static_cast<i32>(bytes));
  user::close(fd);
}

void expect_line(const std::string& line) {
  EXPECT_NE(("\n" + files()).find("\n" + line + "\n"), std::string::npos) << line << "\n"
                                                                          << files();
}

std::string process(int pid) { return "  " + std::to_string(pid) + " (init)"; }

TEST(held_files, tells_the_blocks_the_path_and_the_processes) {
  pc::machine machine;
  machine.run([] {
    pc::mounted_stick stick;
    stick.mount();
    user::call(call::sync);
    EXPECT_EQ(files(), "");
    write_file("/mnt/held", 3000);
    expect_line("sda       4 held  /mnt/held");
    const int child = user::fork([] {
      EXPECT_GE(user::open("/mnt/held"), 0);
      EXPECT_GE(user::open("/tmp/sda"), 0);
      user::call(call::chdir, user::text("/mnt"));
      user::call(call::pause);
    });
    user::sleep_ms(50);
    expect_line("sda       4 held  /mnt/held" + process(child));
    expect_line("sda       1 held  /mnt" + process(child));
    expect_line("sda       0 held  /tmp/sda" + process(child));
    stick.pull();
    user::sleep_ms(50);
    expect_line("sda       4 held  /mnt/held" + process(child));
    stick.plug();
    user::call(call::sync);
    expect_line("sda       0 held  /mnt/held" + process(child));
    EXPECT_EQ(files().find("(other"), std::string::npos);
    user::kill(child, abi::sigkill);
    user::wait();
    EXPECT_EQ(files(), "");
    stick.remove();
  });
}

// More files than the volume notes: the lines of a volume tell all its blocks, each once.
TEST(held_files, add_up_to_what_is_held) {
  pc::machine machine({.options = "slots=512"});
  machine.run([] {
    pc::mounted_stick stick(300, 128);
    stick.mount();
    user::call(call::sync);
    user::call(call::mkdir, user::text("/mnt/d"), 0755);
    for (u32 n = 0; n < 66; ++n) write_file("/mnt/d/" + std::to_string(n), 500);
    const i32 fd = user::open("/mnt/d/65", abi::o_rdonly);
    const std::string text = files();
    u32 sum = 0, lines = 0;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++lines)
      sum += static_cast<u32>(std::stoul(text.substr(at + 4, 7)));
    EXPECT_EQ(sum, held_blocks(*checkpoint::volume_of(dev_id(8, 0)))) << text;
    EXPECT_EQ(lines, 66u);  // 64 notes, the one in use, the rest
    user::close(fd);
    stick.remove();
  });
}

// It stays open when its stick was given up, and is no file of the stick that has the name now.
TEST(held_files, are_none_of_a_stick_that_was_given_up) {
  pc::machine machine;
  machine.run([] {
    pc::mounted_stick stick;
    stick.mount();
    write_file("/mnt/held", 3000);
    const i32 fd = user::open("/mnt/held", abi::o_rdonly);
    stick.pull();
    user::sleep_ms(50);
    user::call(call::umount2, user::text("/mnt"), abi::mnt_force);
    stick.plug();
    stick.mount();
    user::call(call::sync);
    EXPECT_EQ(files(), "");
    user::close(fd);
    stick.remove();
  });
}

}  // namespace
