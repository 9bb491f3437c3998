#include "tests/fs/minix_machine.h"

#include "fs/buffer/buffer_table.h"
#include "fs/fs.h"
#include "tests/fs/minix_image.h"

namespace sim {

std::vector<byte> on_minix(const disk_options& options,
                           const std::function<void(fs_context&)>& body) {
  medium stick(mkfs_minix(options.blocks, options.inodes, options.name_length));
  {
    world machine({.seed = options.seed});
    machine.run([&] {
      boot({.buffers = options.buffers, .slots = options.slots});
      fs_init();
      plug_as(stick, sda);
      {
        result<fs_context> ctx = mount_root(sda);
        ASSERT_TRUE(ctx);
        body(*ctx);
        check_buffer_invariants();
      }
      umount_all();
      EXPECT_EQ(count_buffers().in_use, 0u) << "a buffer was not given back";
    });
  }
  judge(stick.durable());
  return {stick.durable().begin(), stick.durable().end()};
}

void judge(std::span<const byte> image) {
  EXPECT_EQ(fsck_minix(image), "");
  const minix_image seen(image);
  EXPECT_EQ(seen.problem_text(), "");
  EXPECT_EQ(seen.state() & 3, 1) << "not marked as cleanly unmounted";
}

}  // namespace sim
