// uname: prints the system's name.
#include <stdio.h>
#include <string.h>
#include <tool.h>

int main(int argc, char** argv) {
  tool::begin(argv, "[-a]\nPrints the system's name; with -a also the machine.");
  puts(argc > 1 && strcmp(argv[1], "-a") == 0 ? "Replug i386" : "Replug");
  return tool::end(0);
}
