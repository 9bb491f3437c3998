// cp: copies files; with -r directories and what is in them.
#include <file_tree.h>
#include <stdlib.h>
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
  const int last = argc - 1;
  if (last - optind < 1) tool::misuse();
  if (last - optind > 1 && !is_directory(argv[last]))
    tool::die(argv[last], "is not a directory, and there are several files");
  int status = 0;
  for (int n = optind; n < last; ++n) {
    char* to = target_path(argv[n], argv[last]);
    status |= copy_tree(argv[n], to, recursive);
    free(to);
  }
  return status;
}
