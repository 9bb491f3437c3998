// tee: copies the standard input to the output and into files.
#include <errno.h>
#include <fcntl.h>
#include <tool.h>
#include <unistd.h>
#include <vector.h>

namespace {

struct target {
  const char* name;
  int fd;  // -1: it failed
};

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-a] [FILE]...\nWrites its input to the output and into files.\n"
              "  -a  appends to them");
  int flags = O_WRONLY | O_CREAT | O_TRUNC;
  for (int option; (option = getopt(argc, argv, "a")) != -1;) {
    if (option == '?') tool::misuse();
    flags = O_WRONLY | O_CREAT | O_APPEND;
  }
  int status = 0;
  vector<target> targets;
  targets.push_back({"write error", 1});
  for (int n = optind; n < argc; ++n) {
    targets.push_back({argv[n], open(argv[n], flags, 0666)});
    if (targets.back().fd < 0) status = tool::complain(argv[n]);
  }
  static char buffer[4096];
  for (ssize_t count; (count = read(0, buffer, sizeof buffer)) != 0;) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tool::complain("standard input");
    for (target& t : targets)
      if (t.fd >= 0 && !tool::write_all(t.fd, buffer, static_cast<size_t>(count))) {
        status = tool::complain(t.name);
        t.fd = -1;
      }
  }
  for (target& t : targets)
    if (t.fd >= 0 && close(t.fd) < 0) status = tool::complain(t.name);
  return status;
}
