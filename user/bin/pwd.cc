// pwd: prints the current directory.
#include <stdio.h>
#include <tool.h>
#include <unistd.h>

int main(int, char** argv) {
  tool::begin(argv, "\nPrints the working directory.");
  char here[256];
  if (!getcwd(here, sizeof here)) return tool::complain("working directory");
  puts(here);
  return tool::end(0);
}
