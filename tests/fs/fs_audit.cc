// The closing audit of the file system and the buffer cache (tests/sim/audit.h).
#include <algorithm>
#include <vector>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/fs.h"
#include "fs/inode_table.h"
#include "fs/read_super.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "hal/memory.h"
#include "tests/fs/settled.h"
#include "tests/sim/audit.h"

namespace sim {
namespace {

std::string name_of(dev_id dev) { return disk_name(dev).data(); }

bool is_twice(const m_inode& inode) {
  const auto is_same = [&](const m_inode& other) {
    return other.i_dev == inode.i_dev && other.i_num == inode.i_num && !other.i_gone;
  };
  return inode.i_num != ino_nr{} && !inode.i_gone && !inode.i_pipe &&
         std::ranges::count_if(all_inodes(), is_same) > 1;
}

class fs_audit final : public audited {
  void unmount() override {
    if (buffer_total() == 0) return;  // this world has no file system
    static_cast<void>(sys_sync());
    look_at_settled_memory();
    umount_all();
    for (super_block& sb : all_super_blocks())
      if (sb.s_dev) remove(sb);
  }

  // What umount_all leaves: the root, which nothing unmounts, and what is still in use.
  static void remove(super_block& sb) {
    if (sb.s_imount) left_behind("the mount of " + name_of(sb.s_dev) + ": it is busy");
    const dev_id dev = sb.s_dev;
    check_inodes(dev);
    put_super(sb);
    drop_clean_buffers(dev);
  }

  static void check_inodes(dev_id dev) {
    const super_block* sb = get_super(dev);
    for (const m_inode& inode : all_inodes()) {
      const u32 expected = sb && sb->s_isup.get() == &inode ? 1 : 0;
      if ((dev && inode.i_dev != dev) || inode.i_count == expected) continue;
      left_behind(std::to_string(inode.i_count - expected) + " references to inode " +
                  std::to_string(inode.i_num.value()) + " of " + name_of(inode.i_dev) + " \"" +
                  inode.i_path.text.data() + "\"");
    }
  }

  void check() override {
    if (buffer_total() == 0) return;
    check_buffer_invariants();
    check_buffers();
    check_inodes(dev_id{});
    for (const m_inode& inode : all_inodes()) {
      if (inode.i_lock) left_behind("a lock of inode " + std::to_string(inode.i_num.value()));
      if (is_twice(inode)) left_behind("inode " + std::to_string(inode.i_num.value()) + " twice");
      if (inode.i_loading || inode.i_dirt || inode.i_orphan || inode.i_mount)
        left_behind("a mark of inode " + std::to_string(inode.i_num.value()));
    }
    for (const super_block& sb : all_super_blocks()) {
      if (sb.s_dev) left_behind("the superblock of " + name_of(sb.s_dev));
      if (sb.s_users) left_behind("users of a superblock");
    }
    for_each_disk([](dev_id disk) {
      if (!take_write_error(disk)) left_behind("a write error of " + name_of(disk));
    });
  }

  static void check_buffers() {
    for (u32 i = 0; i < buffer_total(); ++i) {
      const buffer_head& bh = buffer_at(i);
      const std::string which =
          "block " + std::to_string(bh.b_blocknr.value()) + " of " + name_of(bh.b_dev);
      if (bh.b_count) left_behind(std::to_string(bh.b_count) + " uses of " + which);
      if (bh.b_lock) left_behind("a lock of " + which);
      if (bh.b_dirt) left_behind("a dirty " + which);
    }
  }
};
fs_audit the_file_system;

// A pipe needs two files, an inode, a ring and a page; files are the scarcest.
class pipe_supply final : public supply {
 public:
  pipe_supply() : supply("pairs of files, or pipes") {}
  u32 count() override {
    if (free_page_count() < NR_FILE / 2) return NR_FILE / 2;  // a machine with too few pages
    std::vector<file*> files;
    for (;;) {
      const auto [reading, writing] = make_pipe();
      if (!reading) break;
      files.push_back(*reading);
      files.push_back(*writing);
    }
    for (file* each : files) static_cast<void>(close_file(*each));
    return static_cast<u32>(files.size() / 2);
  }
};
pipe_supply pipes;

}  // namespace
}  // namespace sim
