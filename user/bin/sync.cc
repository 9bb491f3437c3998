// sync: returns when everything written so far is durable, on every device that is there. A stick
// that was pulled is not waited for; a line is printed for it, and for one that refuses blocks.
#include <stdio.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace {

// Prints the lines of /dev/ckpt about volumes that sync(2) could not write in full.
void name_the_unwritten() {
  FILE* volumes = fopen("/dev/ckpt", "r");
  if (!volumes) return;
  char line[256];
  while (fgets(line, sizeof line, volumes))
    if (strstr(line, " absent ") || strstr(line, " conflict "))
      printf("not written, its stick is away: %s", line);
    else if (strstr(line, " degraded "))
      printf("not written in full, its stick refuses blocks: %s", line);
  fclose(volumes);
}

}  // namespace

int main(int, char** argv) {
  tool::begin(argv,
              "\nWrites every dirty buffer to its device and waits until it is durable there.");
  const bool written = sync() == 0;
  if (!written) tool::complain("not everything was written");
  name_the_unwritten();
  return tool::end(written ? 0 : 1);
}
