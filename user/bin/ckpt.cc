// ckpt: the checkpoint region, volume by volume; and the commands to it.
#include <fcntl.h>
#include <text.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[COMMAND]\nShows the volumes: name, state, held blocks, seconds left. Or:\n"
              "  ckpt hold SECONDS     how long blocks wait for a stick that was pulled\n"
              "  ckpt io_wait SECONDS  how long a program waits for it\n"
              "  ckpt drop VOLUME      give up what waits for a volume\n"
              "  ckpt keep VOLUME      keep what was changed elsewhere, give ours up\n"
              "  ckpt force VOLUME     write ours even though the stick was changed");
  if (argc == 1) return tool::end(tool::print_file("/dev/ckpt"));
  text command;
  for (int n = 1; n < argc; ++n) command.add(n > 1 ? " " : "").add(argv[n]);
  const int fd = open("/dev/ckpt", O_WRONLY);
  if (fd < 0) return tool::complain("/dev/ckpt");
  const bool done = tool::write_all(fd, command.c_str(), command.size());
  return done && close(fd) == 0 ? 0 : tool::complain(command.c_str());
}
