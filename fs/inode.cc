// The inode table: iget, iput and what lies between (the book's inode.c; bmap is in bmap.cc, the
// locks in inode_lock.cc, an inode's way to its block in inode_io.cc).
//
// Differences from the book: an unused inode is never dirty, so finding an empty slot neither
// sleeps nor writes; iget tells a slot that is being filled by i_loading; mount points are crossed
// in namei.cc.
#include "fs/inode.h"

#include <algorithm>
#include <memory>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode_io.h"
#include "fs/pipe.h"
#include "fs/super.h"
#include "hal/panic.h"
#include "lib/format.h"

namespace {

constexpr u32 NR_HASH = 61;
constinit std::array<m_inode, NR_INODE> inode_table{};
constinit std::array<intrusive_list<m_inode, &m_inode::i_hash_link>, NR_HASH> hash_table{};
// Cached inodes without users, the longest unused first.
constinit intrusive_list<m_inode, &m_inode::i_unused_link> unused_inodes;

auto& chain_of(dev_id dev, ino_nr number) {
  return hash_table[(dev.value() ^ number.value()) % NR_HASH];
}

m_inode* find_inode(dev_id dev, ino_nr number) {
  for (m_inode& inode : chain_of(dev, number))
    if (inode.i_dev == dev && inode.i_num == number) return &inode;
  return nullptr;
}

void hash(m_inode& inode) { chain_of(inode.i_dev, inode.i_num).push_front(inode); }

// Nobody finds it by its number any more.
void unhash(m_inode& inode) {
  if (inode.i_hash_link.linked()) chain_of(inode.i_dev, inode.i_num).remove(inode);
  if (inode.i_unused_link.linked()) unused_inodes.remove(inode);
}

// One more user, of an inode that may have had none.
inode_ref use(m_inode& inode) {
  if (inode.i_unused_link.linked()) unused_inodes.remove(inode);
  ++inode.i_count;
  return inode_ref(&inode);
}

bool is_free(const m_inode& inode) {
  return inode.i_count == 0 && !inode.i_hash_link.linked() && inode.i_wait.waiters.empty();
}

// A slot that nobody uses, blank, with one reference. Never sleeps.
m_inode* take_slot() {
  auto slot = std::ranges::find_if(inode_table, is_free);
  m_inode* inode = slot != inode_table.end() ? &*slot : unused_inodes.front();
  if (!inode) return nullptr;
  unhash(*inode);
  kassert(!inode->i_dirt && !inode->i_lock && inode->i_wait.waiters.empty());
  std::construct_at(inode);
  inode->i_count = 1;
  return inode;
}

// The inode if it is in memory, also if somebody else is just reading it. None if that failed: his
// signal is no reason for us to fail.
inode_ref find_loaded(dev_id dev, ino_nr number) {
  while (m_inode* found = find_inode(dev, number)) {
    inode_ref inode = use(*found);
    while (inode->i_loading) sleep_on(inode->i_wait);
    if (!inode->i_gone) return inode;
  }
  return {};
}

// Closing a file does not wait for an absent stick.
result<fs_operation> begin_to_delete(const m_inode& inode) {
  const bool begun = operation::current(inode.i_dev) != nullptr;
  if (checkpoint::absent(inode.i_dev) && !begun) return fail(error::enodev);
  return begin_change(inode);
}

// Frees the file of an inode that has neither names nor users left. What cannot be done because
// the stick is away is left to sync_inodes.
void delete_inode(m_inode& inode) {
  unhash(inode);
  result<fs_operation> op = begin_to_delete(inode);
  if (!op && op.error() != error::erofs && check_alive(inode)) {
    inode.i_orphan = true;
    hash(inode);
    return;
  }
  if (op) {
    if (!truncate(*op, inode, 0)) complain(super_of(inode), "freeing", inode.i_num.value());
    free_inode(*op, inode);
  }
  inode.i_gone = true;
  inode.i_dirt = false;
}

// An inode of the device that stands for something: cached, in use, or being freed.
bool belongs_to(const m_inode& inode, dev_id dev) {
  return inode.i_dev == dev && inode.i_num != ino_nr{} && !inode.i_gone &&
         (inode.i_count || inode.i_hash_link.linked());
}

bool on_disk(const m_inode& inode, dev_id disk) {
  return inode.i_hash_link.linked() && whole_disk(inode.i_dev) == disk;
}

}  // namespace

std::span<m_inode> all_inodes() { return inode_table; }

result<inode_ref> get_empty_inode() {
  m_inode* inode = take_slot();
  if (!inode) return fail(error::enfile);
  return inode_ref(inode);
}

result<inode_ref> iget(dev_id dev, ino_nr number) {
  super_block* sb = get_super(dev);
  if (!sb) return fail(error::eio);
  if (number == ino_nr{} || number.value() > sb->s_ninodes) {
    complain(*sb, "no such inode", number.value());
    return fail(error::eio);
  }
  if (inode_ref found = find_loaded(dev, number)) return found;

  inode_ref inode = TRY(get_empty_inode());
  inode->i_dev = dev;
  inode->i_num = number;
  inode->i_loading = true;
  hash(*inode);
  const result<void> read = read_inode(*inode);
  inode->i_loading = false;
  if (!read) {
    unhash(*inode);
    inode->i_gone = true;
  }
  wake_up(inode->i_wait);
  if (!read) return fail(read.error());
  return inode;
}

result<inode_ref> adopt_inode(dev_id dev, ino_nr number) {
  if (m_inode* found = find_inode(dev, number)) {
    if (found->i_count || found->i_orphan) return fail(error::eio);
    unhash(*found);
  }
  inode_ref inode = TRY(get_empty_inode());
  inode->i_dev = dev;
  inode->i_num = number;
  hash(*inode);
  return inode;
}

inode_ref idup(m_inode& inode) { return use(inode); }

void iput(m_inode* inode) {
  if (!inode) return;
  kassert(inode->i_count > 0);
  const bool last = inode->i_count == 1;
  if (last && inode->i_pipe) {
    free_pipe(*inode);
  } else if (last && !inode->i_gone && inode->i_num != ino_nr{} && inode->i_nlinks == 0) {
    delete_inode(*inode);
  }
  if (--inode->i_count) return;
  const bool keep = inode->i_hash_link.linked() && !inode->i_dirt && !inode->i_orphan;
  if (keep) unused_inodes.push_back(*inode);
}

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
  const size_t room = inode.i_path.size() - 1;
  const size_t cut = whole.size() > room ? whole.size() - room : 0;
  inode.i_path.fill('\0');
  std::ranges::copy(whole.substr(cut), inode.i_path.begin());
  if (cut) std::ranges::fill_n(inode.i_path.begin(), 3, '.');
}

inode_ref::~inode_ref() { iput(inode_); }

inode_ref& inode_ref::operator=(inode_ref&& other) noexcept {
  if (this != &other) iput(std::exchange(inode_, std::exchange(other.inode_, nullptr)));
  return *this;
}

inode_ref inode_ref::copy() const { return inode_ ? idup(*inode_) : inode_ref(); }

// --- For mount, umount, and a stick that returns ---

bool inodes_busy(dev_id dev) {
  const super_block* sb = get_super(dev);
  return std::ranges::any_of(inode_table, [&](const m_inode& inode) {
    if (!belongs_to(inode, dev)) return false;
    return inode.i_count > (sb && sb->s_isup.get() == &inode ? 1u : 0u);
  });
}

void invalidate_inodes(dev_id dev) {
  for (m_inode& inode : inode_table) {
    if (!belongs_to(inode, dev)) continue;
    unhash(inode);
    inode.i_gone = true;
    inode.i_dirt = inode.i_orphan = false;
  }
}

void forget_zone_runs(dev_id disk) {
  for (m_inode& inode : inode_table)
    if (whole_disk(inode.i_dev) == disk) inode.forget_zones();
}

void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected)) {
  for (const m_inode& inode : inode_table) {
    if (!on_disk(inode, disk) || inode.i_dirt || inode.i_loading || !get_super(inode.i_dev))
      continue;
    const d_inode expected = to_disk(inode);
    const inode_place place = place_of(inode);
    visit(context, inode.i_dev, place.block, place.offset,
          std::as_bytes(std::span<const d_inode, 1>(&expected, 1)));
  }
}
