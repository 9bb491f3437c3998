#include "tests/fs/checkpoint/mounted_stick.h"

#include <gtest/gtest.h>

#include "fs/buffer/buffer_table.h"
#include "fs/sync.h"
#include "hal/clock.h"

namespace sim {

void with_mounted_stick(u64 seed, const boot_options& options,
                        const std::function<void(medium&, session&)>& body) {
  medium stick(mkfs_minix(mounted_blocks));
  run(seed, [&] {
    session process(boot_with_root(options));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(sys_sync());
    body(stick, process);
    check_buffer_invariants();
  });
}

void with_mounted_stick(const std::function<void(medium&, session&)>& body) {
  with_mounted_stick(1, {}, body);
}

void with_two_mounted_sticks(const std::function<void(medium&, medium&, session&)>& body) {
  medium other(mkfs_minix(mounted_blocks, 96), "OTHER");
  with_mounted_stick([&](medium& stick, session& process) {
    plug_as(other, sdb);
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    body(stick, other, process);
  });
}

void write_and_pull(medium& stick, session& process, const std::string& path,
                    const std::string& content) {
  ASSERT_TRUE(process.write(path, content));
  pull_from(stick, sda);
}

bool is_taken_back(medium& stick) {
  stick.clear_log();
  stick.plug();
  sleep_for(2_s);
  const bool taken = state_of(sda) == checkpoint::volume_state::live;
  EXPECT_TRUE(taken || stick.count(block_command::write) == 0) << "it was written to";
  stick.pull({.loss = cache_loss::none});
  sleep_for(1_s);
  EXPECT_EQ(state_of(sda), checkpoint::volume_state::absent);
  return taken;
}

void expect_on_medium(medium& stick, session& process, const std::string& path,
                      const std::string& content) {
  EXPECT_TRUE(process.umount());
  const minix_image image(stick.durable());
  EXPECT_EQ(image.problem_text(), "");
  ASSERT_TRUE(image.has(path));
  EXPECT_EQ(image.files().at(path).content, content);
}

}  // namespace sim
