// cmp: whether two files hold the same bytes, and where the first difference is.
#include <stdio.h>
#include <tool.h>
#include <unistd.h>

namespace {

FILE* open_or_die(const char* path) {
  FILE* file = fopen(path, "r");
  if (file) return file;
  tool::complain(path);
  _exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[-s] FILE FILE\nCompares two files byte by byte.\n  -s  says nothing");
  bool silent = false;
  for (int option; (option = getopt(argc, argv, "s")) != -1;) {
    if (option == '?') tool::misuse();
    silent = true;
  }
  if (argc - optind != 2) tool::misuse();
  const char *first = argv[optind], *second = argv[optind + 1];
  FILE *a = open_or_die(first), *b = open_or_die(second);
  for (unsigned long place = 1, line = 1;; ++place) {
    const int x = fgetc(a), y = fgetc(b);
    if (ferror(a) || ferror(b)) return tool::complain(ferror(a) ? first : second) + 1;
    if (x == y && x == EOF) return 0;
    if (x == y) {
      line += x == '\n';
      continue;
    }
    if (silent) return 1;
    if (x == EOF || y == EOF)
      fprintf(stderr, "cmp: end of %s after byte %lu\n", x == EOF ? first : second, place - 1);
    else
      printf("%s %s differ: byte %lu, line %lu\n", first, second, place, line);
    return tool::end(1);
  }
}
