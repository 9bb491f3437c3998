// umount: takes a file system out of the tree, writing everything to its device first.
#include <sys/mount.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-f] DEVICE|DIRECTORY...\nWrites what is left to write, and unmounts.\n"
              "  -f  even when files are open or the stick is away: what waits for it is dropped");
  int flags = 0;
  for (int option; (option = getopt(argc, argv, "f")) != -1;) {
    if (option == '?') tool::misuse();
    flags = MNT_FORCE;
  }
  if (optind == argc) tool::misuse();
  int status = 0;
  for (int n = optind; n < argc; ++n)
    if ((flags ? umount2(argv[n], flags) : umount(argv[n])) < 0) status = tool::complain(argv[n]);
  return status;
}
