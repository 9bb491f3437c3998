// mv: gives files another name or place. Onto another device they are copied and then removed.
#include <errno.h>
#include <file_tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

namespace {

int move(const char* from, const char* to) {
  if (rename(from, to) == 0) return 0;
  if (errno != EXDEV) return tool::complain(from);
  const int status = copy_tree(from, to, true);
  return status ? status : remove_tree(from, true, false);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "FROM... TO\nRenames a file, or moves files into a directory.");
  if (getopt(argc, argv, "f") == '?') tool::misuse();
  const int last = argc - 1;
  if (last - optind < 1) tool::misuse();
  if (last - optind > 1 && !is_directory(argv[last]))
    tool::die(argv[last], "is not a directory, and there are several files");
  int status = 0;
  for (int n = optind; n < last; ++n) {
    char* to = target_path(argv[n], argv[last]);
    status |= move(argv[n], to);
    free(to);
  }
  return status;
}
