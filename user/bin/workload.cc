// workload: loads a disk in the ways that `make bench` measures, and says how long each way took.
//
// A program on the host reads the output, one line for each event:
//   @B NAME                a phase begins (50 ms of quiet follow, so that nothing older counts)
//   @E NAME                it ended (50 ms of quiet precede)
//   M NAME.WHAT VALUE us   what the kernel's clock says
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tool.h>
#include <unistd.h>

namespace {

constexpr unsigned BLOCK = 1024;
char buffer[64 * BLOCK];

void pause_shortly() {
  const timespec quiet = {.tv_sec = 0, .tv_nsec = 50'000'000};
  nanosleep(&quiet, nullptr);
}

unsigned microseconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<unsigned>(time.tv_sec) * 1'000'000 +
         static_cast<unsigned>(time.tv_nsec) / 1000;
}

void say(const char* kind, const char* name) {
  printf("%s %s\n", kind, name);
  fflush(stdout);
}

// One phase: from its mark to its end, with the times in between.
struct phase {
  explicit phase(const char* what) : name(what) {
    say("@B", name);
    pause_shortly();
    begin = microseconds();
  }
  void note(const char* what) {
    marks[count].what = what;
    marks[count++].at = microseconds();
  }
  ~phase() {
    pause_shortly();
    say("@E", name);
    for (int i = 0; i < count; ++i)
      printf("M %s.%s %u us\n", name, marks[i].what, marks[i].at - begin);
    fflush(stdout);
  }
  const char* name;
  unsigned begin = 0;
  struct {
    const char* what;
    unsigned at;
  } marks[2] = {};
  int count = 0;
};

int open_file(const char* path, int flags) {
  const int fd = open(path, flags, 0644);
  if (fd < 0) tool::die(path);
  return fd;
}

// All blocks that are written differ from each other.
void write_blocks(int fd, unsigned first, unsigned bytes) {
  for (unsigned at = 0; at < bytes; at += BLOCK) {
    const unsigned number = first + at / BLOCK;
    memcpy(buffer + at, &number, sizeof number);
  }
  if (write(fd, buffer, bytes) != static_cast<ssize_t>(bytes)) tool::die("write");
}

void write_file(phase& p, const char* path, unsigned total, unsigned size) {
  const int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (unsigned done = 0; done < total; done += size) write_blocks(fd, done / BLOCK, size);
  p.note("write_us");
  fsync(fd);
  close(fd);
  sync();
  p.note("durable_us");
}

void read_file(phase& p, const char* path, unsigned size) {
  const int fd = open_file(path, O_RDONLY);
  while (read(fd, buffer, size) > 0) {
  }
  close(fd);
  p.note("read_us");
}

// Reads the first block of a file many times.
void read_again(phase& p, const char* path, unsigned times) {
  const int fd = open_file(path, O_RDONLY);
  while (times--) {
    lseek(fd, 0, SEEK_SET);
    if (read(fd, buffer, BLOCK) < 0) tool::die(path);
  }
  close(fd);
  p.note("read_us");
}

const char* numbered(const char* directory, unsigned number) {
  static char path[64];
  snprintf(path, sizeof path, "%s/f%04u", directory, number);
  return path;
}

void create_files(phase& p, const char* directory, unsigned files, unsigned size) {
  for (unsigned i = 0; i < files; ++i) {
    const int fd = open_file(numbered(directory, i), O_WRONLY | O_CREAT | O_TRUNC);
    write_blocks(fd, i, size);
    close(fd);
  }
  p.note("write_us");
  sync();
  p.note("durable_us");
}

void unlink_files(phase& p, const char* directory, unsigned files) {
  for (unsigned i = 0; i < files; ++i)
    if (unlink(numbered(directory, i)) < 0) tool::die(directory);
  p.note("write_us");
  sync();
  p.note("durable_us");
}

void write_at_random(phase& p, const char* path, unsigned size, unsigned times) {
  const int fd = open_file(path, O_RDWR);
  unsigned random = 12345;
  for (unsigned i = 0; i < times; ++i) {
    random = random * 1664525u + 1013904223u;
    lseek(fd, static_cast<off_t>((random >> 8) % (size / BLOCK) * BLOCK), SEEK_SET);
    write_blocks(fd, i, BLOCK);
  }
  close(fd);
  p.note("write_us");
  sync();
  p.note("durable_us");
}

// 36 is the number of sync, 118 that of fsync.
void append(phase& p, const char* path, unsigned times, unsigned call) {
  const int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (unsigned i = 0; i < times; ++i) {
    write_blocks(fd, i, BLOCK);
    if (call == 36)
      sync();
    else
      fsync(fd);
  }
  close(fd);
  p.note("durable_us");
}

// Before each sync the first `dirty` blocks of a file are written; zero is allowed.
void sync_again(phase& p, const char* path, unsigned dirty, unsigned times) {
  const int fd = open_file(path, O_RDWR);
  while (times--) {
    lseek(fd, 0, SEEK_SET);
    for (unsigned i = 0; i < dirty; ++i) write_blocks(fd, i + times, BLOCK);
    sync();
  }
  close(fd);
  p.note("durable_us");
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "KIND PHASE [PATH [NUMBER [NUMBER]]]\nLoads a disk for a measurement: "
              "write, read, again, create, unlink,\nrndw, append, sync, idle.");
  if (argc < 3) tool::misuse();
  const char* path = argc > 3 ? argv[3] : "";
  const unsigned a = argc > 4 ? static_cast<unsigned>(tool::number(argv[4])) : 0;
  const unsigned b = argc > 5 ? static_cast<unsigned>(tool::number(argv[5])) : 0;
  const auto is = [&](const char* kind) { return strcmp(argv[1], kind) == 0; };
  phase p(argv[2]);
  if (is("write"))
    write_file(p, path, a, b);
  else if (is("read"))
    read_file(p, path, a);
  else if (is("again"))
    read_again(p, path, a);
  else if (is("create"))
    create_files(p, path, a, b);
  else if (is("unlink"))
    unlink_files(p, path, a);
  else if (is("rndw"))
    write_at_random(p, path, a, b);
  else if (is("append"))
    append(p, path, a, b);
  else if (is("sync"))
    sync_again(p, path, a, b);
  else if (!is("idle"))
    tool::misuse("that kind is not known");
  return 0;
}
