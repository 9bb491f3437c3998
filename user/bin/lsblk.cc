// lsblk: the disks and their partitions, as the kernel tells it.
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv, "\nShows the disks and their partitions.");
  return tool::end(tool::print_file("/dev/disks"));
}
