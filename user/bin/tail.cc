// tail: the last lines of a file.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace {

// The last lines, in a ring.
int print_tail(FILE* file, const char* name, unsigned long most) {
  auto** ring = static_cast<char**>(calloc(most + 1, sizeof(char*)));
  if (!ring) return tool::complain(name);
  unsigned long count = 0;
  char* line = nullptr;
  size_t room = 0;
  while (most > 0 && getline(&line, &room, file) > 0) {
    char*& place = ring[count++ % most];
    free(place);
    place = line;
    line = nullptr;
    room = 0;
  }
  for (unsigned long n = count > most ? count - most : 0; n < count; ++n)
    fputs(ring[n % most], stdout);
  return ferror(file) ? tool::complain(name) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[-n LINES] [FILE]\nPrints the last lines (10) of a file.");
  unsigned long most = 10;
  if (argc > 1 && argv[1][0] == '-' && isdigit(argv[1][1])) {
    most = tool::number(argv[1] + 1);
    optind = 2;
  }
  for (int option; (option = getopt(argc, argv, "n:")) != -1;) {
    if (option == '?') tool::misuse();
    most = tool::number(optarg);
  }
  if (optind == argc) return tool::end(print_tail(stdin, "standard input", most));
  FILE* file = fopen(argv[optind], "r");
  if (!file) return tool::complain(argv[optind]);
  return tool::end(print_tail(file, argv[optind], most));
}
