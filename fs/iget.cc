// iget brings an inode into memory; iput gives it up, and frees the file when its last name and its
// last reference are gone (the book's inode.c).
//
// Differences from the book: an unused inode is never dirty, so finding an empty slot neither
// sleeps nor writes; i_loading marks a slot that iget is still filling; mount points are crossed in
// namei.cc.
#include "fs/bitmap.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode_io.h"
#include "fs/inode_lock.h"
#include "fs/inode_table.h"
#include "fs/pipe.h"
#include "fs/truncate.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

// The inode if it is in memory. If another task is reading it, sleeps until that read ends. If the
// other task's read failed (perhaps by a signal to that task), returns none; the caller reads
// again.
inode_ref find_loaded(dev_id dev, ino_nr number) {
  while (m_inode* found = find_inode(dev, number)) {
    inode_ref inode = idup(*found);
    while (inode->i_loading) sleep_on(inode->i_wait);
    if (!inode->i_gone) return inode;
  }
  return {};
}

// Reads what freeing needs, before the first change. Errors: those of bread.
result<void> read_before_deleting(m_inode& inode) {
  TRY(read_before_freeing(inode, 0));
  TRY(read_inode_bit(inode));
  TRY(read_block_of(inode));
  return {};
}

// Frees the blocks and the inode of a file. After an error nothing was changed. Errors: absent
// (closing a file does not wait for a stick), eio, erofs.
result<void> free_file(m_inode& inode) {
  fs_operation op = TRY(begin_operation(inode));
  if (check_alive(inode)) TRY(read_before_deleting(inode));
  const result<void> cut = truncate(op, inode, 0);
  if (cut == fail(error::absent)) return cut;
  if (!cut) complain(super_of(inode), "freeing", inode.i_num.value());
  free_inode(op, inode);
  return {};
}

// Frees the file of an inode with neither names nor other references. If it cannot be freed now
// (the stick is away, or a block cannot be read), the inode becomes an orphan, which sync_inodes
// frees later.
void delete_inode(m_inode& inode) {
  unhash_inode(inode);
  const result<void> freed = free_file(inode);
  if (!freed && freed.error() != error::erofs && check_alive(inode)) {
    inode.i_orphan = true;
    hash_inode(inode);
    return;
  }
  inode.i_gone = true;
  inode.i_dirt = false;
}

}  // namespace

result<inode_ref> iget(dev_id dev, ino_nr number) {
  may_sleep();
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
  hash_inode(*inode);
  const result<void> read = read_inode(*inode);
  inode->i_loading = false;
  if (!read) {
    unhash_inode(*inode);
    inode->i_gone = true;
  }
  wake_up(inode->i_wait);
  if (!read) return fail(read.error());
  return inode;
}

void iput(m_inode* inode) {
  if (!inode) return;
  kassert(inode->i_count > 0);
  const bool last = inode->i_count == 1;
  if (last && inode->i_pipe) {
    free_pipe(*inode);
  } else if (last && !inode->i_gone && inode->i_num != ino_nr{} && inode->i_nlinks == 0) {
    delete_inode(*inode);
  }
  if (--inode->i_count == 0) keep_unused(*inode);
}
