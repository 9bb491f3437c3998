#include "tests/fs/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "drivers/block/ramdisk.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "tests/fs/minix_image.h"

namespace sim {
namespace {

constexpr u32 root_blocks = 64;

void make_root_disk() {
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

std::span<const byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
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

result<void> session::put(const std::string& path, u32 flags, u32 offset,
                          const std::string& bytes) {
  file* f = TRY(open_file(context_, path, abi::o_wronly | flags, 0644));
  result<u32> written = seek_file(*f, static_cast<i32>(offset), abi::seek_set);
  if (written) written = write_file(*f, bytes_of(bytes));
  const result<void> closed = close_file(*f);
  if (!written) return fail(written.error());
  if (*written != bytes.size()) return fail(error::enospc);
  return closed;
}

result<void> session::write(const std::string& path, const std::string& content) {
  return put(path, abi::o_creat | abi::o_trunc, 0, content);
}

result<void> session::write_at(const std::string& path, u32 offset, const std::string& bytes) {
  return put(path, 0, offset, bytes);
}

result<void> session::overwrite(const std::string& path, const std::string& content) {
  return put(path, abi::o_creat, 0, content);
}

result<void> session::append(const std::string& path, const std::string& bytes) {
  return put(path, abi::o_append, 0, bytes);
}

result<std::string> session::read(const std::string& path) {
  file* f = TRY(open_file(context_, path, abi::o_rdonly, 0));
  std::string content;
  std::array<byte, 700> part;
  result<u32> count = 0;
  while ((count = read_file(*f, part)) && *count > 0)
    content.append(reinterpret_cast<const char*>(part.data()), *count);
  const result<void> closed = close_file(*f);
  if (!count) return fail(count.error());
  TRY(closed);
  return content;
}

result<void> session::sync_file(const std::string& path) {
  file* f = TRY(open_file(context_, path, abi::o_rdonly, 0));
  const result<void> synced = ::sync_file(*f);
  TRY(close_file(*f));
  return synced;
}

std::string sample_text(size_t length, u32 seed) {
  std::string text(length, '\0');
  u32 state = seed * 2654435761u + 1;
  for (char& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>('!' + (state >> 24) % 90);
  }
  return text;
}

}  // namespace sim
