// ps: the processes, as the kernel tells it.
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv, "\nShows the processes.");
  return tool::end(tool::print_file("/dev/tasks"));
}
