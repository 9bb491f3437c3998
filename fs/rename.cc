// rename, which 0.11 did not have, as POSIX demands: at every moment the file has a name, an
// existing target is replaced, the ".." of a moved directory is corrected, and a directory cannot
// be moved into itself or below itself.
//
// One rename at a time on a file system (s_renaming): is_below walks from the new place up to the
// root, and its answer holds only while no other rename moves directories. The turn is taken before
// the operation begins: no task that has begun an operation waits for the turn.
#include "fs/checkpoint/absence.h"
#include "fs/dir.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/super.h"
#include "hal/clock.h"

namespace {

// The right to rename on a file system, held for one rename. take sleeps interruptibly until the
// running rename ends. Errors: eintr, eio.
class [[nodiscard]] rename_turn {
 public:
  static result<rename_turn> take(m_inode& dir) {
    TRY(check_alive(dir));
    super_block& sb = super_of(dir);
    super_use use(sb);
    while (sb.s_renaming)
      if (interruptible_sleep_on(sb.s_wait) == wake_reason::signalled) return fail(error::eintr);
    sb.s_renaming = true;
    return rename_turn(std::move(use), sb);
  }
  rename_turn(rename_turn&& other) noexcept = default;
  rename_turn& operator=(rename_turn&&) = delete;
  ~rename_turn() {
    if (!sb_) return;
    sb_->s_renaming = false;
    wake_up(sb_->s_wait);
  }

 private:
  rename_turn(super_use use, super_block& sb) : use_(std::move(use)), sb_(&sb) {}
  super_use use_;
  moved_pointer<super_block> sb_;
};

// Whether `dir` is `ancestor` or below it. Follows ".." up to the root; the number of steps is
// bounded, as on a damaged disk directories may form a ring.
result<bool> is_below(m_inode& dir, const m_inode& ancestor) {
  inode_ref at = idup(dir);
  for (u32 steps = super_of(dir).s_ninodes; at.get() != &ancestor; --steps) {
    if (at->i_num == ROOT_INO) return false;
    if (steps == 0) return fail(error::eio);
    at = TRY(child_of(*at, ".."));
  }
  return true;
}

// How often a rename begins again because the names were changed meanwhile. On a damaged disk a
// directory may have a name twice, and each search may find the other one.
constexpr u32 MOST_TRIES = 100;

// What one rename works on. `target` is the inode at the new name; null when the new name is free.
struct rename_plan {
  fs_context& ctx;
  m_inode& from_dir;
  std::string_view from;
  m_inode& to_dir;
  std::string_view to;
  m_inode& moved;
  m_inode* target;
};

// Whether both names, now under the locks, still belong to the inodes that were looked up. Sets the
// two entries; `to_entry` stays empty when the new name is free.
result<bool> still_true(const rename_plan& plan, std::optional<dir_record>& to_entry,
                        std::optional<dir_record>& from_entry) {
  from_entry = TRY(find_entry(plan.from_dir, plan.from));
  if (from_entry->inode != plan.moved.i_num) return false;
  const result<dir_record> there = find_entry(plan.to_dir, plan.to);
  if (!there && there.error() != error::enoent) return fail(there.error());
  if (there) to_entry = *there;
  return there ? plan.target && there->inode == plan.target->i_num : plan.target == nullptr;
}

result<void> check_replacement(const rename_plan& plan) {
  m_inode* target = plan.target;
  if (!target) return {};
  TRY(may_delete(plan.ctx, plan.to_dir, *target));
  if (plan.moved.is_dir() && !target->is_dir()) return fail(error::enotdir);
  if (!plan.moved.is_dir() && target->is_dir()) return fail(error::eisdir);
  if (!target->is_dir()) return {};
  if (target->i_mount || target->i_num == ROOT_INO) return fail(error::ebusy);
  return TRY(is_empty_directory(*target)) ? result<void>() : result<void>(fail(error::enotempty));
}

// The entry has been changed, so `to_dir` is dirty already.
void drop_target(m_inode& to_dir, m_inode& target) {
  if (target.is_dir()) {
    target.i_nlinks = 0;
    if (to_dir.i_nlinks > 1) --to_dir.i_nlinks;
  } else if (target.i_nlinks > 0) {
    --target.i_nlinks;
  }
  target.i_dirt = true;
}

// For a directory that changes its parent: corrects its ".." (at `up`) and the link counts of both
// parents, which are dirty since their entries were changed.
result<void> move_dotdot(operation& op, const rename_plan& plan, const dir_record& up) {
  TRY(set_entry(op, plan.moved, up, plan.to_dir.i_num));
  if (plan.from_dir.i_nlinks > 1) --plan.from_dir.i_nlinks;
  ++plan.to_dir.i_nlinks;
  return {};
}

// The new name counts as one more link until the old one is removed: after an error in between, the
// file has two names and two links.
result<void> give_new_name(operation& op, const rename_plan& plan,
                           const std::optional<dir_record>& to) {
  if (to) {
    TRY(set_entry(op, plan.to_dir, *to, plan.moved.i_num));
    drop_target(plan.to_dir, *plan.target);
  } else {
    TRY(add_entry(op, plan.to_dir, plan.to, plan.moved.i_num));
  }
  ++plan.moved.i_nlinks;
  plan.moved.i_dirt = true;
  return {};
}

result<void> take_old_name(operation& op, const rename_plan& plan, const dir_record& from) {
  TRY(set_entry(op, plan.from_dir, from, ino_nr{}));
  --plan.moved.i_nlinks;
  return {};
}

// Adds the new name first, then removes the old one: in between the file has two names, never none.
// What may be missing on a damaged disk is looked for before the first change.
result<void> change_names(operation& op, const rename_plan& plan, const dir_record& from,
                          const std::optional<dir_record>& to) {
  const bool moves_directory = plan.moved.is_dir() && &plan.from_dir != &plan.to_dir;
  const bool room = plan.to_dir.i_nlinks < MINIX_LINK_MAX;
  if (moves_directory && !plan.target && !room) return fail(error::emlink);
  if (plan.moved.i_nlinks > MINIX_LINK_MAX) return fail(error::emlink);
  dir_record up{};
  if (moves_directory) up = TRY(find_entry(plan.moved, ".."));

  TRY(give_new_name(op, plan, to));
  result<void> done = take_old_name(op, plan, from);
  if (done && moves_directory) done = move_dotdot(op, plan, up);
  // A directory with two names, or with the wrong "..", is damage.
  if (!done && plan.moved.is_dir())
    complain(super_of(plan.moved), "directory moved in part", plan.moved.i_num.value());
  if (done) set_path(plan.moved, plan.to_dir.path(), plan.to);
  return done;
}

// The inode at the new name; none if the name is free.
result<inode_ref> find_target(m_inode& dir, std::string_view name) {
  result<inode_ref> target = child_of(dir, name);
  if (!target && target.error() == error::enoent) return inode_ref();
  return target;
}

result<void> rename_within(fs_context& ctx, const parent_and_name& from,
                           const parent_and_name& to) {
  const rename_turn turn = TRY(rename_turn::take(*from.dir));
  fs_operation op = TRY(begin_operation(*from.dir));
  for (u32 tries = 0; tries < MOST_TRIES; ++tries) {
    TRY(may_change(ctx, *from.dir, from.name, error::ebusy));
    TRY(may_change(ctx, *to.dir, to.name, error::ebusy));
    const inode_ref moved = TRY(child_of(*from.dir, from.name));
    const inode_ref target = TRY(find_target(*to.dir, to.name));
    if ((from.wants_directory || to.wants_directory) && !moved->is_dir())
      return fail(error::enotdir);
    if (moved.get() == target.get()) return {};
    if (moved->i_mount || moved->i_num == ROOT_INO) return fail(error::ebusy);
    if (moved->is_dir() && TRY(is_below(*to.dir, *moved))) return fail(error::einval);

    const rename_plan plan{ctx, *from.dir, from.name, *to.dir, to.name, *moved, target.get()};
    inode_change change(op);
    TRY(change.begin({&plan.from_dir, &plan.to_dir, &plan.moved, plan.target}));
    std::optional<dir_record> from_entry, to_entry;
    // Once more: the directory may have been removed during a sleep.
    TRY(may_change(ctx, *to.dir, to.name, error::ebusy));
    if (!TRY(still_true(plan, to_entry, from_entry))) continue;
    // Once more, under the lock: a mount may have come during a sleep.
    if (plan.moved.i_mount || plan.moved.i_num == ROOT_INO) return fail(error::ebusy);
    TRY(may_delete(ctx, plan.from_dir, plan.moved));
    TRY(check_replacement(plan));
    return change_names(op, plan, *from_entry, to_entry);
  }
  return fail(error::eio);
}

}  // namespace

result<void> rename_path(fs_context& ctx, std::string_view from, std::string_view to) {
  return checkpoint::at_the_door([&]() -> result<void> {
    const parent_and_name old_name = TRY(dir_namei(ctx, from));
    const parent_and_name new_name = TRY(dir_namei(ctx, to));
    if (old_name.dir->i_dev != new_name.dir->i_dev) return fail(error::exdev);
    return rename_within(ctx, old_name, new_name);
  });
}
