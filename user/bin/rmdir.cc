// rmdir: removes empty directories.
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv, "DIRECTORY...\nRemoves empty directories.");
  if (argc < 2) tool::misuse();
  int status = 0;
  for (int n = 1; n < argc; ++n)
    if (rmdir(argv[n]) < 0) status = tool::complain(argv[n]);
  return status;
}
