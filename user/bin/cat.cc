// cat: writes files, or the standard input, to the output, one after the other.
#include <fcntl.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[FILE]...\nWrites the files (- or none: the standard input) one after the other.");
  int status = 0;
  for (int n = 1; n < argc || n == 1; ++n) {
    const bool from_input = n >= argc || strcmp(argv[n], "-") == 0;
    const char* path = from_input ? "standard input" : argv[n];
    const int fd = from_input ? 0 : open(path, O_RDONLY);
    if (fd < 0 || !tool::copy(fd, path, 1, "write error")) status = 1;
    if (fd < 0) tool::complain(path);
    if (fd > 0) close(fd);
  }
  return tool::end(status);
}
