// head: the first lines of files.
#include <ctype.h>
#include <stdio.h>
#include <tool.h>
#include <unistd.h>

namespace {

unsigned long most = 10;
bool bytes;

void print_head(FILE* file) {
  unsigned long left = most;
  for (int c; left > 0 && (c = fgetc(file)) != EOF;) {
    putchar(c);
    if (bytes || c == '\n') --left;
  }
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[-n LINES | -c BYTES] [FILE]...\nPrints the first lines (10) of files.");
  if (argc > 1 && argv[1][0] == '-' && isdigit(argv[1][1])) {
    most = tool::number(argv[1] + 1);
    optind = 2;
  }
  for (int option; (option = getopt(argc, argv, "n:c:")) != -1;) {
    if (option == '?') tool::misuse();
    most = tool::number(optarg);
    bytes = option == 'c';
  }
  int status = 0;
  if (optind == argc) print_head(stdin);
  for (int n = optind; n < argc; ++n) {
    FILE* file = fopen(argv[n], "r");
    if (!file) {
      status = tool::complain(argv[n]);
      continue;
    }
    if (argc - optind > 1) printf("%s==> %s <==\n", n > optind ? "\n" : "", argv[n]);
    print_head(file);
    if (ferror(file)) status = tool::complain(argv[n]);
    fclose(file);
  }
  return tool::end(status);
}
