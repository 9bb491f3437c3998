// New names: create, mknod, mkdir, link (in the book's namei.c).
//
// The directory stays locked from the search for the name until the entry is added, so two tasks
// cannot both create one name (in 0.11 they could).
#include "fs/create.h"

#include "fs/checkpoint/absence.h"

#include "fs/bitmap.h"
#include "fs/dir.h"
#include "fs/inode_io.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/super.h"
#include "hal/panic.h"

namespace {

// Errors: eexist if the directory has the name.
result<void> must_be_new(m_inode& dir, std::string_view name) {
  const result<dir_record> entry = find_entry(dir, name);
  if (entry) return fail(error::eexist);
  return entry.error() == error::enoent ? result<void>() : result<void>(fail(entry.error()));
}

// Writes a new inode and adds its name to the directory, unless `so_far` is an error already. After
// any error the link count is 0, and iput frees the inode.
result<void> give_name(operation& op, m_inode& dir, std::string_view name, m_inode& inode,
                       result<void> so_far) {
  if (so_far) so_far = write_inode(op, inode);
  if (so_far) so_far = add_entry(op, dir, name, inode.i_num);
  if (!so_far) inode.i_nlinks = 0;
  return so_far;
}

}  // namespace

result<inode_ref> create_inode(fs_context& ctx, parent_and_name& at, u16 mode, dev_id rdev) {
  m_inode& dir = *at.dir;
  fs_operation op = TRY(begin_operation(dir));
  inode_change change(op);
  TRY(change.begin({&dir}));
  TRY(may_change(ctx, dir, at.name, error::eexist));
  TRY(must_be_new(dir, at.name));
  inode_ref inode = TRY(new_inode(op, super_of(dir), mode, ctx.euid, ctx.egid));
  set_path(*inode, dir.path(), at.name);
  if (rdev) inode->i_zone[0] = rdev.value();
  TRY(give_name(op, dir, at.name, *inode, {}));
  return inode;
}

namespace {
result<void> make_node_now(fs_context& ctx, std::string_view path, u16 mode, dev_id dev) {
  const u16 type = mode & abi::s_ifmt;
  const bool device = type == abi::s_ifchr || type == abi::s_ifblk;
  if (!device && type != 0 && type != abi::s_ifreg) return fail(error::einval);
  if (device && ctx.euid != 0) return fail(error::eperm);
  parent_and_name at = TRY(dir_namei(ctx, path));
  if (at.wants_directory) TRY(lookup(ctx, *at.dir, at.name));  // a name that is free is not made
  const u32 kind = type ? type : u32{abi::s_ifreg};
  const u16 whole = static_cast<u16>(kind | (mode & 07777u & ~u32{ctx.umask}));
  TRY(create_inode(ctx, at, whole, device ? dev : dev_id{}));
  return {};
}
}  // namespace

result<void> make_node(fs_context& ctx, std::string_view path, u16 mode, dev_id dev) {
  return checkpoint::at_the_door([&] { return make_node_now(ctx, path, mode, dev); });
}

namespace {
result<void> make_directory_now(fs_context& ctx, std::string_view path, u16 mode) {
  const parent_and_name at = TRY(dir_namei(ctx, path));
  m_inode& dir = *at.dir;
  fs_operation op = TRY(begin_operation(dir));
  inode_change change(op);
  TRY(change.begin({&dir}));
  TRY(may_change(ctx, dir, at.name, error::eexist));
  TRY(must_be_new(dir, at.name));
  if (dir.i_nlinks >= MINIX_LINK_MAX) return fail(error::emlink);
  const u16 whole = static_cast<u16>(abi::s_ifdir | (mode & 01777u & ~u32{ctx.umask}));
  const inode_ref made = TRY(new_inode(op, super_of(dir), whole, ctx.euid, ctx.egid));
  set_path(*made, dir.path(), at.name);  // before its first block, which is noted for this path
  made->i_nlinks = 2;
  TRY(give_name(op, dir, at.name, *made, fill_new_directory(op, *made, dir.i_num)));
  ++dir.i_nlinks;  // dirty since the entry was added
  return {};
}
}  // namespace

result<void> make_directory(fs_context& ctx, std::string_view path, u16 mode) {
  return checkpoint::at_the_door([&] { return make_directory_now(ctx, path, mode); });
}

namespace {
result<void> link_path_now(fs_context& ctx, std::string_view from, std::string_view to) {
  const inode_ref inode = TRY(namei(ctx, from));
  if (inode->is_dir()) return fail(error::eperm);
  const parent_and_name at = TRY(dir_namei(ctx, to));
  m_inode& dir = *at.dir;
  if (dir.i_dev != inode->i_dev) return fail(error::exdev);
  fs_operation op = TRY(begin_operation(dir));
  inode_change change(op);
  TRY(change.begin({&dir, inode.get()}));
  TRY(may_change(ctx, dir, at.name, error::eexist));
  TRY(must_be_new(dir, at.name));
  TRY(check_alive(*inode));  // the walk to `dir` slept: another mount may have the device by now
  if (at.wants_directory || inode->i_nlinks == 0) return fail(error::enoent);
  if (inode->i_nlinks >= MINIX_LINK_MAX) return fail(error::emlink);
  TRY(add_entry(op, dir, at.name, inode->i_num));
  ++inode->i_nlinks;
  inode->i_dirt = true;
  return {};
}
}  // namespace

result<void> link_path(fs_context& ctx, std::string_view from, std::string_view to) {
  return checkpoint::at_the_door([&] { return link_path_now(ctx, from, to); });
}
