// mount: puts a file system into the tree, or lists what is there.
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-r] DEVICE DIRECTORY\nMounts the MINIX file system of a device on a directory.\n"
              "  -r  read-only\nWithout arguments: lists what is mounted.");
  unsigned long flags = 0;
  for (int option; (option = getopt(argc, argv, "rt:o:")) != -1;) {
    if (option == '?') tool::misuse();
    if (option == 'r' || (option == 'o' && strcmp(optarg, "ro") == 0)) flags |= MS_RDONLY;
  }
  if (optind == argc && argc == 1) return tool::end(tool::print_file("/dev/mounts"));
  if (argc - optind != 2) tool::misuse();
  if (mount(argv[optind], argv[optind + 1], "minix", flags, nullptr) < 0)
    return tool::complain(argv[optind]);
  return 0;
}
