// /dev/files: the files whose blocks wait for a stick, or that a process uses, and these processes.
// A line is a record: the disk, how many blocks it holds of the file, the path, the processes.
#include <algorithm>

#include "fs/checkpoint/volume.h"
#include "fs/inode_table.h"
#include "kernel/info.h"
#include "kernel/sched.h"

namespace {

using checkpoint::volume;

// A process uses an inode as an open file, as its directory, or as its program.
bool uses(const task_struct& t, const m_inode* inode) {
  const auto is_it = [=](const file* open) { return open && open->f_inode.get() == inode; };
  return std::ranges::any_of(t.filp, is_it) || t.fs.pwd.get() == inode ||
         t.executable.get() == inode;
}

bool is_used(const m_inode* inode) {
  return std::ranges::any_of(task, [=](const task_struct* t) { return t && uses(*t, inode); });
}

// A block device is a file of the root file system, and stands for its disk.
dev_id device_of(const m_inode& inode) { return inode.is_block() ? inode.rdev() : inode.i_dev; }

u32 blocks_held(const volume& v, dev_id dev, ino_nr owner) {
  u32 blocks = 0;
  for (const checkpoint::slot& s : v.set) blocks += s.dev == dev && s.owner == owner;
  return blocks;
}

void print_file(text_sink& out, const volume& v, u32 blocks, const char* path,
                const m_inode* inode) {
  out.print("%-4s %6u held  %s", disk_name(v.disk).data(), blocks, path);
  for (const task_struct* t : task)
    if (t && inode && uses(*t, inode)) out.print("  %d (%s)", t->pid, t->comm.data());
  out.print("\n");
}

// Returns how many blocks it has told.
u32 print_noted_files(text_sink& out, const volume& v) {
  u32 told = 0;
  for (const checkpoint::file_note& note : v.files.all()) {
    const u32 blocks = blocks_held(v, note.dev, note.inode);
    if (blocks > 0) print_file(out, v, blocks, note.path.data(), find_inode(note.dev, note.inode));
    told += blocks;
  }
  return told;
}

bool is_noted(const volume& v, const m_inode& inode) {
  const auto is_it = [&](const checkpoint::file_note& note) {
    return note.dev == inode.i_dev && note.inode == inode.i_num;
  };
  return std::ranges::any_of(v.files.all(), is_it) && blocks_held(v, inode.i_dev, inode.i_num) > 0;
}

u32 print_used_files(text_sink& out, const volume& v) {
  u32 told = 0;
  for (const m_inode& inode : all_inodes()) {
    // A file that is gone belonged to a stick that was given up: another one may have its name.
    if (inode.i_gone || whole_disk(device_of(inode)) != v.disk) continue;
    if (is_noted(v, inode) || !is_used(&inode)) continue;
    const u32 blocks = inode.is_block() ? 0 : blocks_held(v, inode.i_dev, inode.i_num);
    print_file(out, v, blocks, inode.i_path.text.data(), &inode);
    told += blocks;
  }
  return told;
}

}  // namespace

void print_files(text_sink& out) {
  for (const volume& v : checkpoint::all_volumes()) {
    if (v.state == checkpoint::volume_state::none) continue;
    u32 told = print_noted_files(out, v);
    told += print_used_files(out, v);
    if (const u32 rest = held_blocks(v) - told)
      print_file(out, v, rest, "(other files, directories, and the file system itself)", nullptr);
  }
}
