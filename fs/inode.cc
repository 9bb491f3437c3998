// Small functions of one inode. The table of inodes is in inode_table.cc, iget and iput in iget.cc.
#include "fs/inode.h"

#include <algorithm>

#include "fs/checkpoint/checkpoint.h"
#include "hal/panic.h"
#include "lib/format.h"

result<void> check_alive(const m_inode& inode) {
  if (inode.i_gone || checkpoint::dead(inode.i_dev)) return fail(error::eio);
  return {};
}

super_block& super_of(const m_inode& inode) {
  super_block* sb = get_super(inode.i_dev);
  kassert(sb);
  return *sb;
}

void set_path(m_inode& inode, std::string_view directory, std::string_view name) {
  std::array<char, 128> text{};
  text_sink sink(text);
  const bool slash = !directory.ends_with('/') && !name.empty();
  sink.print("%.*s%s%.*s", static_cast<int>(directory.size()), directory.data(), slash ? "/" : "",
             static_cast<int>(name.size()), name.data());
  const std::string_view whole = sink.text();
  inode.i_path = {};
  auto& path = inode.i_path.text;
  const size_t room = path.size() - 1;
  const size_t cut = whole.size() > room ? whole.size() - room : 0;
  std::ranges::copy(whole.substr(cut), path.begin());
  if (cut) std::ranges::fill_n(path.begin(), 3, '.');
}

inode_ref::~inode_ref() { iput(inode_); }

inode_ref& inode_ref::operator=(inode_ref&& other) noexcept {
  if (this != &other) iput(std::exchange(inode_, std::exchange(other.inode_, nullptr)));
  return *this;
}

inode_ref inode_ref::copy() const { return inode_ ? idup(*inode_) : inode_ref(); }
