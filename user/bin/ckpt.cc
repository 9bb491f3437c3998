// ckpt: the checkpoint region, volume by volume; and the commands to it.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <text.h>
#include <tool.h>
#include <unistd.h>

namespace {

constexpr const char* VOLUMES = "/dev/ckpt";
constexpr const char* FILES = "/dev/files";

// Counts the lines of a file that begin with the name of a volume, and prints them.
unsigned lines_of(const char* volume, const char* path, bool print) {
  FILE* lines = fopen(path, "r");
  if (!lines) tool::die(path);
  const size_t length = strlen(volume);
  unsigned count = 0;
  char part[256];  // of a line, which may be longer
  for (bool begins = true, is_meant = false; fgets(part, sizeof part, lines);
       begins = strchr(part, '\n') != nullptr) {
    if (begins) is_meant = strncmp(part, volume, length) == 0 && part[length] == ' ';
    if (is_meant && print) fputs(part, stdout);
    count += begins && is_meant;
  }
  fclose(lines);
  return count;
}

int show_files(const char* volume) {
  if (!volume) return tool::print_file(FILES);
  const char* name = tool::base_name(volume);
  if (lines_of(name, VOLUMES, false) == 0) return tool::complain(volume, "no such volume");
  lines_of(name, FILES, true);
  return 0;
}

int give_command(int argc, char** argv) {
  text command;
  for (int n = 1; n < argc; ++n) command.add(n > 1 ? " " : "").add(argv[n]);
  const int fd = open(VOLUMES, O_WRONLY);
  if (fd < 0) return tool::complain(VOLUMES);
  const bool done = tool::write_all(fd, command.c_str(), command.size());
  return done && close(fd) == 0 ? 0 : tool::complain(command.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(
      argv,
      "[COMMAND]\nShows the volumes: name, state, held blocks, seconds left. Or:\n"
      "  ckpt files [VOLUME]   the files that wait for it or are in use, and the processes\n"
      "  ckpt hold SECONDS     how long blocks wait for a stick that was pulled\n"
      "  ckpt io_wait SECONDS  how long a program waits for it\n"
      "  ckpt drop VOLUME      give up what waits for a volume\n"
      "  ckpt keep VOLUME      keep what was changed elsewhere, give ours up\n"
      "  ckpt force VOLUME     write ours even though the stick was changed");
  if (argc == 1) return tool::end(tool::print_file(VOLUMES));
  if (argc <= 3 && strcmp(argv[1], "files") == 0) return tool::end(show_files(argv[2]));
  return give_command(argc, argv);
}
