// touch: gives files the present time; a file that does not exist is created, empty.
#include <errno.h>
#include <fcntl.h>
#include <tool.h>
#include <unistd.h>
#include <utime.h>

namespace {

int touch(const char* path, bool create) {
  if (utime(path, nullptr) == 0) return 0;
  if (errno != ENOENT) return tool::complain(path);
  if (!create) return 0;
  const int fd = open(path, O_WRONLY | O_CREAT, 0666);
  return fd < 0 || close(fd) < 0 ? tool::complain(path) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[-c] FILE...\nGives files the present time.\n  -c  makes no new ones");
  bool create = true;
  for (int option; (option = getopt(argc, argv, "c")) != -1;) {
    if (option == '?') tool::misuse();
    create = false;
  }
  if (optind == argc) tool::misuse();
  int status = 0;
  for (int n = optind; n < argc; ++n) status |= touch(argv[n], create);
  return status;
}
