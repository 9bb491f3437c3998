// rm: removes files; with -r directories and what is in them.
#include <file_tree.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-rf] FILE...\nRemoves files.\n  -r  directories too\n"
              "  -f  what does not exist is no error");
  bool recursive = false, force = false;
  for (int option; (option = getopt(argc, argv, "rRf")) != -1;) {
    if (option == '?') tool::misuse();
    (option == 'f' ? force : recursive) = true;
  }
  if (optind == argc && !force) tool::misuse();
  int status = 0;
  for (int n = optind; n < argc; ++n) status |= remove_tree(argv[n], recursive, force);
  return status;
}
