// dmesg: the kernel's messages since the start, as the kernel tells it.
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv, "\nShows the kernel's messages since the start.");
  return tool::end(tool::print_file("/dev/kmsg"));
}
