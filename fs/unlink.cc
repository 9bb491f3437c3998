// Names are removed: unlink and rmdir (in the book's namei.c).
//
// Directory and victim are locked together, in the order of their numbers, so the victim must be
// known first: remove_name finds the entry, locks both inodes, and finds the entry again. If it
// names another inode now, it repeats. A file that is open exists without a name until its last
// iput.
#include "fs/checkpoint/absence.h"
#include "fs/dir.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/super.h"

namespace {

// Frees the entry and decrements the link count of the victim.
result<void> drop_name(operation& op, m_inode& dir, const dir_record& entry, m_inode& victim) {
  TRY(set_entry(op, dir, entry, ino_nr{}));
  if (victim.i_nlinks > 0) --victim.i_nlinks;
  victim.i_dirt = true;
  return {};
}

result<void> unlink_file(operation& op, const fs_context& ctx, m_inode& dir,
                         const dir_record& entry, m_inode& victim) {
  if (victim.is_dir()) return fail(error::eisdir);
  TRY(may_delete(ctx, dir, victim));
  return drop_name(op, dir, entry, victim);
}

result<void> unlink_directory(operation& op, const fs_context& ctx, m_inode& dir,
                              const dir_record& entry, m_inode& victim) {
  if (!victim.is_dir()) return fail(error::enotdir);
  if (victim.i_mount || victim.i_num == ROOT_INO) return fail(error::ebusy);
  TRY(may_delete(ctx, dir, victim));
  if (!TRY(is_empty_directory(victim))) return fail(error::enotempty);
  TRY(drop_name(op, dir, entry, victim));
  victim.i_nlinks = 0;
  if (dir.i_nlinks > 1) --dir.i_nlinks;  // its ".." is gone; dirty since its entry was freed
  return {};
}

using remover = result<void> (*)(operation&, const fs_context&, m_inode&, const dir_record&,
                                 m_inode&);

result<void> remove_name(fs_context& ctx, const parent_and_name& at, error if_dot, remover remove) {
  m_inode& dir = *at.dir;
  fs_operation op = TRY(begin_operation(dir));
  for (;;) {
    TRY(may_change(ctx, dir, at.name, if_dot));
    const inode_ref victim = TRY(child_of(dir, at.name));
    if (at.wants_directory && !victim->is_dir()) return fail(error::enotdir);
    inode_change change(op);
    TRY(change.begin({&dir, victim.get()}));
    const dir_record entry = TRY(find_entry(dir, at.name));
    if (entry.inode != victim->i_num) continue;  // the name was given to another inode meanwhile
    return remove(op, ctx, dir, entry, *victim);
  }
}

}  // namespace

result<void> unlink_path(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door([&]() -> result<void> {
    return remove_name(ctx, TRY(dir_namei(ctx, path)), error::eisdir, unlink_file);
  });
}

result<void> remove_directory(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door([&]() -> result<void> {
    const parent_and_name at = TRY(dir_namei(ctx, path));
    const error if_dot = at.name == ".."   ? error::enotempty
                         : at.name.empty() ? error::ebusy
                                           : error::einval;
    return remove_name(ctx, at, if_dot, unlink_directory);
  });
}
