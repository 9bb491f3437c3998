// cp: copies files; with -r directories and what is in them.
#include <file_tree.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-r] FROM... TO\nCopies files, to a file or into a directory.\n"
              "  -r  directories too");
  bool recursive = false;
  for (int option; (option = getopt(argc, argv, "raR")) != -1;) {
    if (option == '?') tool::misuse();
    recursive = true;
  }
  return for_each_target(argc, argv, [recursive](const char* from, const char* to) {
    return copy_tree(from, to, recursive);
  });
}
