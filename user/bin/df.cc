// df: how full the mounted file systems are.
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <tool.h>
#include <unistd.h>

namespace {

int print_row(const char* device, const char* directory) {
  struct statfs about;
  if (statfs(directory, &about) < 0) return tool::complain(directory);
  const unsigned unit = about.f_bsize / 1024 ? about.f_bsize / 1024 : 1;
  const unsigned used = about.f_blocks - about.f_bfree;
  const unsigned percent = about.f_blocks ? used * 100 / about.f_blocks : 0;
  printf("%-12s %9u %9u %9u %3u%% %7u %7u  %s\n", device, about.f_blocks * unit, used * unit,
         about.f_bfree * unit, percent, about.f_files, about.f_ffree, directory);
  return 0;
}

// A line of /dev/mounts: the first two words that are paths are the device and the directory.
int print_mount(char* line) {
  const char* device = nullptr;
  for (char* word = strtok(line, " \t\n"); word; word = strtok(nullptr, " \t\n")) {
    if (word[0] != '/') continue;
    if (device) return print_row(device, word);
    device = word;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[DIRECTORY]...\nShows how full file systems are, in KiB; and their inodes.");
  printf("%-12s %9s %9s %9s %4s %7s %7s  %s\n", "device", "KiB", "used", "free", "use", "inodes",
         "free", "mounted on");
  int status = 0;
  for (int n = 1; n < argc; ++n) status |= print_row("-", argv[n]);
  if (argc > 1) return tool::end(status);
  FILE* mounts = fopen("/dev/mounts", "r");
  if (!mounts) return tool::complain("/dev/mounts");
  char line[256];
  while (fgets(line, sizeof line, mounts)) status |= print_mount(line);
  return tool::end(status);
}
