// free: how memory is used, as the kernel tells it.
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv, "\nShows how memory is used.");
  return tool::end(tool::print_file("/dev/memory"));
}
