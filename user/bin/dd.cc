// dd: copies blocks of bytes between files and devices, from and to any offset.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tool.h>
#include <unistd.h>

namespace {

struct job {
  const char* input = nullptr;
  const char* output = nullptr;
  unsigned long block_size = 512, count = ~0ul, skip = 0, seek = 0;
  bool truncates = true, syncs = false, quiet = false;
  int in = 0, out = 1;
  unsigned long whole_in = 0, part_in = 0, whole_out = 0, part_out = 0, bytes = 0;
};

void read_conversions(job& j, char* list) {
  for (char* word = strtok(list, ","); word; word = strtok(nullptr, ",")) {
    if (strcmp(word, "notrunc") == 0)
      j.truncates = false;
    else if (strcmp(word, "fsync") == 0)
      j.syncs = true;
    else
      tool::misuse("that conversion is not known");
  }
}

void read_operand(job& j, char* operand) {
  char* value = strchr(operand, '=');
  if (!value) tool::misuse("operands have the form NAME=VALUE");
  *value++ = '\0';
  const auto is = [&](const char* name) { return strcmp(operand, name) == 0; };
  if (is("if"))
    j.input = value;
  else if (is("of"))
    j.output = value;
  else if (is("bs"))
    j.block_size = tool::number(value);
  else if (is("count"))
    j.count = tool::number(value);
  else if (is("skip"))
    j.skip = tool::number(value);
  else if (is("seek"))
    j.seek = tool::number(value);
  else if (is("conv"))
    read_conversions(j, value);
  else if (is("status"))
    j.quiet = strcmp(value, "none") == 0;
  else
    tool::misuse("that operand is not known");
}

ssize_t read_again(int fd, void* to, size_t count) {
  ssize_t done;
  do done = read(fd, to, count);
  while (done < 0 && errno == EINTR);
  return done;
}

void open_files(job& j) {
  if (j.input && (j.in = open(j.input, O_RDONLY)) < 0) tool::die(j.input);
  const int truncation = j.truncates && j.seek == 0 ? O_TRUNC : 0;
  if (j.output && (j.out = open(j.output, O_WRONLY | O_CREAT | truncation, 0666)) < 0)
    tool::die(j.output);
  if (!j.input) j.input = "standard input";
  if (!j.output) j.output = "standard output";
}

void skip_blocks(const job& j, char* buffer) {
  const unsigned long distance = j.skip * j.block_size;
  if (distance == 0 || lseek(j.in, static_cast<off_t>(distance), SEEK_SET) >= 0) return;
  for (unsigned long n = 0; n < j.skip; ++n)
    if (read_again(j.in, buffer, j.block_size) < 0) tool::die(j.input);
}

void seek_blocks(const job& j) {
  const auto distance = static_cast<off_t>(j.seek * j.block_size);
  if (j.seek == 0) return;
  if (lseek(j.out, distance, SEEK_SET) < 0) tool::die(j.output);
  if (j.truncates) ftruncate(j.out, distance);  // devices refuse, and need none
}

int copy_blocks(job& j, char* buffer) {
  for (unsigned long n = 0; n < j.count; ++n) {
    const ssize_t got = read_again(j.in, buffer, j.block_size);
    if (got < 0) return tool::complain(j.input);
    if (got == 0) break;
    const auto size = static_cast<size_t>(got);
    ++(size == j.block_size ? j.whole_in : j.part_in);
    if (!tool::write_all(j.out, buffer, size)) return tool::complain(j.output);
    ++(size == j.block_size ? j.whole_out : j.part_out);
    j.bytes += size;
  }
  return 0;
}

// Durable, and closed without an error: only then is the copy done.
int finish(job& j) {
  int status = 0;
  if (j.syncs && fsync(j.out) < 0) status = tool::complain(j.output);
  if (close(j.out) < 0) status = tool::complain(j.output);
  return status;
}

unsigned long milliseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<unsigned long>(now.tv_sec) * 1000 +
         static_cast<unsigned long>(now.tv_nsec) / 1'000'000;
}

void report(const job& j, unsigned long elapsed) {
  fprintf(stderr, "%lu+%lu records in\n%lu+%lu records out\n", j.whole_in, j.part_in, j.whole_out,
          j.part_out);
  fprintf(stderr, "%lu bytes, %lu.%03lu s", j.bytes, elapsed / 1000, elapsed % 1000);
  if (elapsed > 0) fprintf(stderr, ", %lu KiB/s", j.bytes / 1024 * 1000 / elapsed);
  fprintf(stderr, "\n");
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[if=FILE] [of=FILE] [bs=BYTES] [count=N] [skip=N] [seek=N] [conv=fsync,notrunc]\n"
              "Copies N blocks, from block `skip` of the input to block `seek` of the output.\n"
              "  conv=fsync    returns when everything is durable\n"
              "  conv=notrunc  leaves the rest of the output as it is\n"
              "  status=none   says nothing of how much it was");
  job j;
  for (int n = 1; n < argc; ++n) read_operand(j, argv[n]);
  if (j.block_size == 0) tool::misuse("bs must not be 0");
  auto* buffer = static_cast<char*>(malloc(j.block_size));
  if (!buffer) tool::die("bs");
  open_files(j);
  const unsigned long start = milliseconds();
  skip_blocks(j, buffer);
  seek_blocks(j);
  int status = copy_blocks(j, buffer);
  status |= finish(j);
  if (!j.quiet) report(j, milliseconds() - start);
  return status;
}
