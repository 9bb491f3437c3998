#include "tests/fs/session.h"

#include <algorithm>

#include "drivers/block/ramdisk.h"
#include "fs/super.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "tests/fs/minix_image.h"
#include "tests/sim/memory.h"

namespace sim {
namespace {

constexpr u32 root_blocks = 64;

void make_root_disk() {
  const kept_memory for_ever;
  const auto memory = allocate_pages(root_blocks * BLOCK_SIZE / PAGE_SIZE);
  std::ranges::copy(mkfs_minix(root_blocks), memory.begin());
  rd_init(memory);
}

void make_root_tree(fs_context& root) {
  const u16 block_mode = abi::s_ifblk | 0600;
  for (const char* directory : {"/dev", "/mnt", "/mnt2"})
    kassert(make_directory(root, directory, 0755));
  kassert(make_node(root, "/dev/sda", block_mode, sda));
  kassert(make_node(root, "/dev/sda1", block_mode, dev_id(8, 1)));
  kassert(make_node(root, "/dev/sdb", block_mode, sdb));
  kassert(make_node(root, "/dev/ckpt", abi::s_ifchr | 0600,
                    dev_id(abi::major_info, static_cast<u8>(abi::info_file::ckpt))));
}

}  // namespace

fs_context boot_with_root(const boot_options& options) {
  boot(options);
  make_root_disk();
  fs_init();
  result<fs_context> root = mount_root(dev_id(1, 0));
  kassert(root.has_value());
  make_root_tree(*root);
  return std::move(*root);
}

void forget_inode_table(dev_id dev) {
  const super_block& sb = *get_super(dev);
  for (block_nr at = sb.inode_table(); at.value() < sb.s_firstdatazone; at = at + 1)
    forget_block(dev, at);
}

result<void> session::write(const std::string& path, const std::string& content) {
  return write_to(context_, path, content);
}

result<void> session::write_at(const std::string& path, u32 offset, const std::string& bytes) {
  return sim::write_at(context_, path, offset, bytes, 0);
}

result<void> session::overwrite(const std::string& path, const std::string& content) {
  return write_to(context_, path, content, abi::o_creat);
}

result<void> session::append(const std::string& path, const std::string& bytes) {
  return write_to(context_, path, bytes, abi::o_append);
}

result<std::string> session::read(const std::string& path) { return read_from(context_, path); }

result<void> session::sync_file(const std::string& path) {
  file* f = TRY(open_file(context_, path, abi::o_rdonly, 0));
  const result<void> synced = ::sync_file(*f);
  TRY(close_file(*f));
  return synced;
}

}  // namespace sim
