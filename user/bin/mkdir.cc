// mkdir: makes directories.
#include <errno.h>
#include <file_tree.h>
#include <string.h>
#include <sys/stat.h>
#include <tool.h>
#include <unistd.h>

namespace {

// Every directory on the way that is not there yet.
int make_parents(char* path) {
  for (char* slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    const bool failed = mkdir(path, 0777) < 0 && !is_directory(path);
    if (failed) return tool::complain(path);
    *slash = '/';
  }
  return mkdir(path, 0777) < 0 && !is_directory(path) ? tool::complain(path) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(
      argv,
      "[-p] DIRECTORY...\nMakes directories.\n  -p  those above too; existing ones are no error");
  bool parents = false;
  for (int option; (option = getopt(argc, argv, "p")) != -1;) {
    if (option == '?') tool::misuse();
    parents = true;
  }
  if (optind == argc) tool::misuse();
  int status = 0;
  for (int n = optind; n < argc; ++n) {
    if (parents)
      status |= make_parents(argv[n]);
    else if (mkdir(argv[n], 0777) < 0)
      status = tool::complain(argv[n]);
  }
  return status;
}
