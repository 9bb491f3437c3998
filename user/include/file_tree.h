// Copying and removing files and whole directories: cp, mv and rm.
#pragma once

// Both complain by themselves. The status to exit with: 0 or 1.
int copy_tree(const char* from, const char* to, bool directories_too);
int remove_tree(const char* path, bool directories_too, bool force);

// Where `from` goes when the target is `to`: into it, when it is a directory. In fresh memory.
char* target_path(const char* from, const char* to);
bool is_directory(const char* path);
