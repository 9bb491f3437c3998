// echo: its arguments, with spaces between. -n leaves out the newline at the end.
#include <stdio.h>
#include <string.h>
#include <tool.h>

int main(int argc, char** argv) {
  int first = 1;
  const bool newline = argc < 2 || strcmp(argv[1], "-n") != 0;
  if (!newline) ++first;
  for (int n = first; n < argc; ++n) {
    if (n > first) putchar(' ');
    fputs(argv[n], stdout);
  }
  if (newline) putchar('\n');
  return tool::end(0);
}
