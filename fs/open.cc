// Open files: the file table, open, close, pipe (the book's open.c and file_table.c).
#include <algorithm>

#include "drivers/block/genhd.h"
#include "drivers/char/char_device.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/absence.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/create.h"
#include "fs/dir.h"
#include "fs/file_dev.h"
#include "fs/file_errors.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "fs/truncate.h"
#include "fs/write_access.h"
#include "hal/panic.h"
#include "lib/guard.h"

namespace {

constinit std::array<file, NR_FILE> file_table{};

// A blank slot with one descriptor. Errors: enfile.
result<file*> get_empty_filp(u32 flags) {
  const auto slot = std::ranges::find(file_table, 0u, &file::f_count);
  if (slot == file_table.end()) return fail(error::enfile);
  slot->f_count = 1;
  slot->f_flags = flags;
  slot->f_pos = 0;
  slot->f_ahead = {};
  return &*slot;
}

}  // namespace

u32 files_in_use() {
  return static_cast<u32>(
      std::ranges::count_if(file_table, [](const file& f) { return f.f_count > 0; }));
}

namespace {

bool writes(u32 flags) { return (flags & abi::o_accmode) != abi::o_rdonly; }

u32 asked_permission(u32 flags) {
  const u32 mode = flags & abi::o_accmode;
  const u32 read = mode == abi::o_wronly ? 0 : MAY_READ;
  const u32 write = mode != abi::o_rdonly || (flags & abi::o_trunc) ? MAY_WRITE : 0;
  return read | write;
}

// For a device file. Errors: enxio or enodev when there is no such device, erofs when it shall be
// written and is write-protected.
result<void> check_device(const m_inode& inode, u32 flags) {
  if (inode.is_char()) {
    TRY(find_char_device(inode.rdev()));
  } else if (inode.is_block()) {
    const block_target target = TRY(resolve(inode.rdev()));
    if (writes(flags) && target.device->write_protected) return fail(error::erofs);
  }
  return {};
}

result<void> check_openable(const fs_context& ctx, const m_inode& inode, u32 flags) {
  TRY(check_alive(inode));
  const bool changes = writes(flags) || (flags & abi::o_trunc);
  if (inode.is_dir() && (changes || (flags & abi::o_creat))) return fail(error::eisdir);
  if (!inode.is_dir() && (flags & abi::o_directory)) return fail(error::enotdir);
  TRY(permission(ctx, inode, asked_permission(flags)));
  if (inode.is_char() || inode.is_block()) return check_device(inode, flags);
  if (!inode.is_regular() && !inode.is_dir()) return fail(error::enotsup);
  if (changes && super_of(inode).s_rd_only) return fail(error::erofs);
  return {};
}

result<void> truncate_now(m_inode& inode, u32 size) {
  TRY(get_write_access(inode));
  const at_scope_end put([&] { put_write_access(inode); });
  fs_operation op = TRY(begin_operation(inode));
  inode_change change(op);
  TRY(change.begin({&inode}));
  return truncate(op, inode, size);
}

result<inode_ref> open_existing(fs_context& ctx, inode_ref inode, u32 flags) {
  TRY(check_openable(ctx, *inode, flags));
  if ((flags & abi::o_trunc) && inode->is_regular()) TRY(truncate_now(*inode, 0));
  return inode;
}

// The book's open_namei. The loop: another task may create the name after lookup has not found it;
// then create_inode answers eexist, and the lookup runs again.
result<inode_ref> open_namei(fs_context& ctx, std::string_view path, u32 flags, u16 mode) {
  if (!(flags & abi::o_creat)) return open_existing(ctx, TRY(namei(ctx, path)), flags);
  parent_and_name at = TRY(dir_namei(ctx, path));
  if (at.name.empty() || at.wants_directory) return fail(error::eisdir);
  for (;;) {
    result<inode_ref> there = lookup(ctx, *at.dir, at.name);
    if (there && (flags & abi::o_excl)) return fail(error::eexist);
    if (there) return open_existing(ctx, std::move(*there), flags);
    if (there.error() != error::enoent || is_dot(at.name)) return there;
    const u32 bits = mode & 07777u & ~u32{ctx.umask};
    result<inode_ref> made = create_inode(ctx, at, static_cast<u16>(abi::s_ifreg | bits), dev_id{});
    if (made || made.error() != error::eexist || (flags & abi::o_excl)) return made;
  }
}

// For the close of the last descriptor: the outcome of the delayed writes of a file open for
// writing.
result<void> outcome_of_writes(file& f) {
  const m_inode& inode = *f.f_inode;
  if (!writes(f.f_flags) || inode.i_pipe || inode.is_char()) return {};
  if (!inode.is_block()) {
    TRY(check_alive(inode));
    return take_file_error(f);
  }
  const dev_id dev = inode.rdev();
  if (checkpoint::dead(dev)) return fail(error::eio);
  if (checkpoint::absent(dev)) return take_file_error(f);
  const result<void> synced = sync_dev(dev);
  const bool pulled = synced == fail(error::enodev) || synced == fail(error::absent);
  const result<void> earlier = take_file_error(f);
  return pulled || synced ? earlier : synced;
}

}  // namespace

namespace {
result<file*> open_file_now(fs_context& ctx, std::string_view path, u32 flags, u16 mode) {
  constexpr u32 contradiction = abi::o_creat | abi::o_directory;  // no call of open makes one
  if ((flags & abi::o_accmode) == abi::o_accmode || (flags & contradiction) == contradiction)
    return fail(error::einval);
  file* f = TRY(get_empty_filp(flags));
  at_scope_end free_slot([&] { f->f_count = 0; });
  inode_ref inode = TRY(open_namei(ctx, path, flags, mode));
  if (writes(flags)) TRY(get_write_access(*inode));
  free_slot.dismiss();
  if (inode->is_block()) f->f_use = checkpoint::volume_use(inode->rdev());
  f->f_inode = std::move(inode);
  forget_file_errors(*f);
  return f;
}
}  // namespace

result<file*> open_file(fs_context& ctx, std::string_view path, u32 flags, u16 mode) {
  return checkpoint::at_the_door([&] { return open_file_now(ctx, path, flags, mode); });
}

file* share_file(file& f) {
  kassert(f.f_count > 0);
  ++f.f_count;
  return &f;
}

result<void> close_file(file& f) {
  kassert(f.f_count > 0);
  if (f.f_count > 1) {
    --f.f_count;
    return {};
  }
  const result<void> outcome = outcome_of_writes(f);
  const inode_ref inode = std::move(f.f_inode);
  if (writes(f.f_flags)) put_write_access(*inode);
  if (inode->i_pipe) close_pipe_end(*inode, writes(f.f_flags));
  f.f_use = checkpoint::volume_use();
  f.f_count = 0;
  return outcome;
}

std::pair<result<file*>, result<file*>> make_pipe() {
  const auto nothing = [](error e) {
    return std::pair<result<file*>, result<file*>>(fail(e), fail(e));
  };
  const result<file*> reading = get_empty_filp(abi::o_rdonly);
  if (!reading) return nothing(reading.error());
  at_scope_end free_reading([&] { (*reading)->f_count = 0; });
  const result<file*> writing = get_empty_filp(abi::o_wronly);
  if (!writing) return nothing(writing.error());
  at_scope_end free_writing([&] { (*writing)->f_count = 0; });
  result<inode_ref> inode = get_pipe_inode();
  if (!inode) return nothing(inode.error());
  (*writing)->f_inode = inode->copy();
  (*reading)->f_inode = std::move(*inode);
  free_reading.dismiss();
  free_writing.dismiss();
  return {*reading, *writing};
}

result<void> truncate_file(file& f, u32 size) {
  return checkpoint::at_the_door([&]() -> result<void> {
    if (!writes(f.f_flags) || !f.f_inode->is_regular()) return fail(error::einval);
    return truncate_now(*f.f_inode, size);
  });
}

result<void> truncate_path(fs_context& ctx, std::string_view path, u32 size) {
  return checkpoint::at_the_door([&]() -> result<void> {
    const inode_ref inode = TRY(namei(ctx, path));
    if (inode->is_dir()) return fail(error::eisdir);
    if (!inode->is_regular()) return fail(error::einval);
    TRY(permission(ctx, *inode, MAY_WRITE));
    return truncate_now(*inode, size);
  });
}

result<program_ref> open_program(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door([&]() -> result<program_ref> {
    inode_ref inode = TRY(namei(ctx, path));
    if (!inode->is_regular()) return fail(error::eacces);
    TRY(permission(ctx, *inode, MAY_EXEC));
    return program_ref::of(std::move(inode));
  });
}
