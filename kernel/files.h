// files: the descriptor table of a process (task_struct::filp).
//
// A descriptor is an index into it; dup and fork let several descriptors share one open file.
// Nothing here sleeps but close_descriptor and close_files, which may write.
#pragma once

#include "kernel/sched.h"

// The open file behind a descriptor of the current process. Errors: ebadf.
result<file*> file_of(u32 fd);

// The lowest free descriptor from `lowest` on. Errors: emfile.
result<u32> free_descriptor(u32 lowest = 0);

// Gives an open file a descriptor; on failure the file is closed. Errors: emfile.
result<u32> install_file(file* opened);

// Empties a descriptor and tells what close_file says: a written file's error is told here, last.
result<void> close_descriptor(u32 fd);

// For fork: the child shares every open file.
void share_files(const task_struct& from, task_struct& to);
// For exit, and for exec with `only_marked`: the close-on-exec ones.
void close_files(bool only_marked);
