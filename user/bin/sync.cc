// sync: returns when everything written so far is durable, on every device that is there. A stick
// that was pulled is not waited for; a line is printed for it.
#include <stdio.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace {

// Prints the lines of /dev/ckpt about volumes that sync(2) had to leave out.
void name_the_absent() {
  FILE* volumes = fopen("/dev/ckpt", "r");
  if (!volumes) return;
  char line[256];
  while (fgets(line, sizeof line, volumes))
    if (strstr(line, " absent ") || strstr(line, " conflict "))
      printf("not written, its stick is away: %s", line);
  fclose(volumes);
}

}  // namespace

int main(int, char** argv) {
  tool::begin(argv,
              "\nWrites every dirty buffer to its device and waits until it is durable there.");
  const bool written = sync() == 0;
  if (!written) tool::complain("not everything was written");
  name_the_absent();
  return tool::end(written ? 0 : 1);
}
