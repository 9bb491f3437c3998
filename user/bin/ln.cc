// ln: gives a file one more name.
#include <file_tree.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-f] FILE NAME\nGives a file another name (a hard link).\n"
              "  -f  a file that has it now loses it");
  bool force = false;
  for (int option; (option = getopt(argc, argv, "f")) != -1;) {
    if (option == '?') tool::misuse();
    force = true;
  }
  if (argc - optind != 2) tool::misuse();
  char* to = target_path(argv[optind], argv[optind + 1]);
  if (force) unlink(to);
  return link(argv[optind], to) < 0 ? tool::complain(to) : 0;
}
