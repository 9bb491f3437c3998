// Copying and removing files and whole directories: cp, mv and rm.
#pragma once

#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

// Both complain by themselves. The status to exit with: 0 or 1.
int copy_tree(const char* from, const char* to, bool directories_too);
int remove_tree(const char* path, bool directories_too, bool force);

// Where `from` goes when the target is `to`: into it, when it is a directory. In fresh memory.
char* target_path(const char* from, const char* to);
bool is_directory(const char* path);

// FROM... TO, the operands of cp and mv from optind on: calls one(from, to) for each pair of paths.
// TO must be a directory when there are several files. The status to exit with.
template <typename F>
int for_each_target(int argc, char** argv, F one) {
  const int last = argc - 1;
  if (last - optind < 1) tool::misuse();
  if (last - optind > 1 && !is_directory(argv[last]))
    tool::die(argv[last], "is not a directory, and there are several files");
  int status = 0;
  for (int n = optind; n < last; ++n) {
    char* to = target_path(argv[n], argv[last]);
    status |= one(argv[n], to);
    free(to);
  }
  return status;
}
