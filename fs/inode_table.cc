#include "fs/inode_table.h"

#include <algorithm>
#include <memory>

#include "fs/super.h"
#include "hal/panic.h"

namespace {

constexpr u32 NR_HASH = 61;
constinit std::array<m_inode, NR_INODE> inode_table{};
constinit std::array<intrusive_list<m_inode, &m_inode::i_hash_link>, NR_HASH> hash_table{};
// Hashed inodes without references, the one unused for the longest time first.
constinit intrusive_list<m_inode, &m_inode::i_unused_link> unused_inodes;

auto& chain_of(dev_id dev, ino_nr number) {
  return hash_table[(dev.value() ^ number.value()) % NR_HASH];
}

// An unused slot without an inode.
bool is_free(const m_inode& inode) {
  return inode.i_count == 0 && !inode.i_hash_link.linked() && inode.i_wait.waiters.empty();
}

// A blank slot with one reference: a free one, or the cached inode unused for the longest time
// loses its slot. Null when every inode is in use. Never sleeps.
m_inode* take_slot() {
  auto slot = std::ranges::find_if(inode_table, is_free);
  m_inode* inode = slot != inode_table.end() ? &*slot : unused_inodes.front();
  if (!inode) return nullptr;
  unhash_inode(*inode);
  kassert(!inode->i_dirt && !inode->i_lock && inode->i_wait.waiters.empty());
  std::construct_at(inode);
  inode->i_count = 1;
  return inode;
}

// Whether a slot has an inode of the device: cached, in use, or being freed.
bool belongs_to(const m_inode& inode, dev_id dev) {
  return inode.i_dev == dev && inode.i_num != ino_nr{} && !inode.i_gone &&
         (inode.i_count || inode.i_hash_link.linked());
}

}  // namespace

std::span<m_inode> all_inodes() { return inode_table; }

u32 inodes_in_use() {
  return static_cast<u32>(
      std::ranges::count_if(inode_table, [](const m_inode& inode) { return inode.i_count > 0; }));
}

m_inode* find_inode(dev_id dev, ino_nr number) {
  for (m_inode& inode : chain_of(dev, number))
    if (inode.i_dev == dev && inode.i_num == number) return &inode;
  return nullptr;
}

void hash_inode(m_inode& inode) { chain_of(inode.i_dev, inode.i_num).push_front(inode); }

void unhash_inode(m_inode& inode) {
  if (inode.i_hash_link.linked()) chain_of(inode.i_dev, inode.i_num).remove(inode);
  if (inode.i_unused_link.linked()) unused_inodes.remove(inode);
}

inode_ref idup(m_inode& inode) {
  if (inode.i_unused_link.linked()) unused_inodes.remove(inode);
  ++inode.i_count;
  return inode_ref(&inode);
}

void keep_unused(m_inode& inode) {
  if (inode.i_hash_link.linked() && !inode.i_dirt && !inode.i_orphan)
    unused_inodes.push_back(inode);
}

result<inode_ref> get_empty_inode() {
  m_inode* inode = take_slot();
  if (!inode) return fail(error::enfile);
  return inode_ref(inode);
}

result<inode_ref> adopt_inode(dev_id dev, ino_nr number) {
  if (m_inode* found = find_inode(dev, number)) {
    if (found->i_count || found->i_orphan || found->i_dirt) return fail(error::eio);
    unhash_inode(*found);
  }
  inode_ref inode = TRY(get_empty_inode());
  inode->i_dev = dev;
  inode->i_num = number;
  hash_inode(*inode);
  return inode;
}

bool inodes_busy(dev_id dev) {
  const super_block* sb = get_super(dev);
  return std::ranges::any_of(inode_table, [&](const m_inode& inode) {
    if (!belongs_to(inode, dev)) return false;
    return inode.i_count > (sb && sb->s_isup.get() == &inode ? 1u : 0u);
  });
}

bool has_nameless_inodes(dev_id dev) {
  return std::ranges::any_of(inode_table, [&](const m_inode& inode) {
    return belongs_to(inode, dev) && inode.i_nlinks == 0 && !inode.i_loading;
  });
}

bool has_orphans(dev_id dev) {
  return std::ranges::any_of(
      inode_table, [&](const m_inode& inode) { return belongs_to(inode, dev) && inode.i_orphan; });
}

void distrust_inodes(dev_id dev) {
  for (m_inode& inode : inode_table) {
    if (!belongs_to(inode, dev) || inode.i_loading) continue;
    inode.forget_zones();
    if (inode.i_count > 0)
      inode.i_dirt = true;
    else if (!inode.i_dirt)
      unhash_inode(inode);
  }
}

void invalidate_inodes(dev_id dev) {
  for (m_inode& inode : inode_table) {
    if (!belongs_to(inode, dev)) continue;
    unhash_inode(inode);
    inode.i_gone = true;
    inode.i_dirt = inode.i_orphan = false;
  }
}
