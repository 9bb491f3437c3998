// See tool.h.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace tool {

namespace {

const char* program_name = "?";
const char* usage_text = "";

void print_usage(FILE* to) { fprintf(to, "usage: %s %s\n", program_name, usage_text); }

}  // namespace

void begin(char** argv, const char* usage) {
  if (argv[0]) program_name = base_name(argv[0]);
  usage_text = usage;
  const char* first = argv[0] && argv[1] ? argv[1] : "";
  if (strcmp(first, "-h") != 0 && strcmp(first, "--help") != 0) return;
  print_usage(stdout);
  exit(end(0));
}

const char* name() { return program_name; }

int complain(const char* what, const char* reason) {
  fflush(stdout);
  fprintf(stderr, "%s: %s: %s\n", program_name, what, reason);
  return 1;
}
int complain(const char* what) {
  const int reason = errno;  // fflush may change it
  return complain(what, strerror(reason));
}
void die(const char* what, const char* reason) {
  complain(what, reason);
  exit(1);
}
void die(const char* what) {
  complain(what);
  exit(1);
}
void misuse(const char* complaint) {
  if (complaint) fprintf(stderr, "%s: %s\n", program_name, complaint);
  print_usage(stderr);
  exit(2);
}

int end(int status) {
  if (fclose(stdout) == 0) return status;
  return errno == EBADF ? status : complain("write error");
}

bool write_all(int fd, const void* from, size_t count) {
  const char* at = static_cast<const char*>(from);
  while (count > 0) {
    const ssize_t done = write(fd, at, count);
    if (done < 0 && errno == EINTR) continue;
    if (done == 0) errno = EIO;
    if (done <= 0) return false;
    at += done;
    count -= static_cast<size_t>(done);
  }
  return true;
}

bool copy(int from, const char* from_name, int to, const char* to_name) {
  static char buffer[8192];
  for (;;) {
    const ssize_t count = read(from, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) complain(from_name);
    if (count <= 0) return count == 0;
    if (!write_all(to, buffer, static_cast<size_t>(count))) {
      complain(to_name);
      return false;
    }
  }
}

int print_file(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return complain(path);
  const bool copied = copy(fd, path, 1, "write error");
  close(fd);
  return copied ? 0 : 1;
}

unsigned long number(const char* text) {
  char* end_of_number;
  errno = 0;
  unsigned long value = strtoul(text, &end_of_number, 10);
  unsigned long unit = 1;
  if (*end_of_number == 'k' || *end_of_number == 'K') unit = 1024, ++end_of_number;
  if (*end_of_number == 'M') unit = 1024 * 1024, ++end_of_number;
  if (!isdigit(*text) || *end_of_number || errno || __builtin_mul_overflow(value, unit, &value)) {
    fprintf(stderr, "%s: %s: not a number\n", program_name, text);
    exit(2);
  }
  return value;
}

const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char* join(const char* directory, const char* entry) {
  const size_t size = strlen(directory) + strlen(entry) + 2;
  char* path = static_cast<char*>(malloc(size));
  if (!path) die("out of memory", "giving up");
  const bool slash = *directory && directory[strlen(directory) - 1] == '/';
  snprintf(path, size, "%s%s%s", directory, slash ? "" : "/", entry);
  return path;
}

}  // namespace tool
