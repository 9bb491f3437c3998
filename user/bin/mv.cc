// mv: gives files another name or place. Onto another device they are copied and then removed.
#include <errno.h>
#include <file_tree.h>
#include <stdio.h>
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
  return for_each_target(argc, argv, move);
}
