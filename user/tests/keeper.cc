// Writes files until SIGTERM comes, and remembers what the kernel has acknowledged. Then it prints,
// for every file, what must be on the disk:
//
//   kept NAME CRC LENGTH     (the CRC-32 of zlib)
//   keeper: N changes
//
// `keeper DIRECTORY SEED`; without arguments it makes a few hundred changes and reads the files
// back. A file about which a call has given an error is not judged until it is made anew: some of
// the call's bytes may be there. The signal is blocked during each change.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/tests/check.h"

namespace {

constexpr uint32_t FILES = 10, LONGEST = 40000;

struct kept_file {
  bool exists = false, certain = true;
  uint32_t length = 0;
  unsigned char bytes[LONGEST];
};
kept_file files[FILES];
char name[8] = "f0";
uint32_t state;
volatile int over = 0;

uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

const char* name_of(uint32_t index) {
  name[1] = static_cast<char>('0' + index);
  return name;
}

void set_length(kept_file& f, uint32_t length) {
  if (length > f.length) memset(f.bytes + f.length, 0, length - f.length);
  f.length = length;
}

// Writes at a random place, which may lie behind the end, and closes. False after an error.
bool write_somewhere(kept_file& f, int fd) {
  static unsigned char bytes[9000];
  const uint32_t position = below(f.length + 3000);
  const uint32_t room = position < LONGEST ? LONGEST - position : 0;
  uint32_t size = 1 + below(sizeof bytes);
  if (size > room) size = room;
  for (uint32_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(below(256));
  if (lseek(fd, static_cast<off_t>(position), SEEK_SET) < 0) return false;
  const ssize_t written = write(fd, bytes, size);
  if (written < 0) return false;
  const uint32_t end = position + static_cast<uint32_t>(written);
  if (written > 0 && end > f.length) set_length(f, end);
  memcpy(f.bytes + position, bytes, static_cast<size_t>(written));
  return below(8) != 0 || fsync(fd) == 0;
}

bool change_content(uint32_t index, int flags) {
  kept_file& f = files[index];
  const int fd = open(name_of(index), O_RDWR | O_CREAT | flags, 0644);
  if (fd < 0) return false;
  if (!f.exists || flags & O_TRUNC) f.length = 0;
  f.exists = true;
  const bool good = write_somewhere(f, fd);
  return close(fd) == 0 && good;
}

bool make_anew(uint32_t index) {
  if (unlink(name_of(index)) != 0 && errno != ENOENT) return false;
  files[index].exists = false;
  files[index].certain = true;
  return change_content(index, 0);
}

bool shorten(uint32_t index) {
  kept_file& f = files[index];
  uint32_t length = below(f.length + 2000);
  if (length > LONGEST) length = LONGEST;
  if (truncate(name_of(index), static_cast<off_t>(length)) != 0) return false;
  set_length(f, length);
  return true;
}

bool rename_over(uint32_t from, uint32_t to) {
  char old_name[8];
  strcpy(old_name, name_of(from));
  files[to].certain = false;  // until it is done
  if (rename(old_name, name_of(to)) != 0) return false;
  files[to] = files[from];
  files[from].exists = false;
  return true;
}

bool change(uint32_t index) {
  if (!files[index].certain || !files[index].exists) return make_anew(index);
  const uint32_t other = (index + 1 + below(FILES - 1)) % FILES;
  switch (below(8)) {
    case 0: return make_anew(index);
    case 1: return shorten(index);
    case 2: return rename_over(index, other);
    case 3: return change_content(index, O_TRUNC);
    default: return change_content(index, 0);
  }
}

uint32_t crc_of(const kept_file& f) {
  uint32_t crc = ~0u;
  for (uint32_t i = 0; i < f.length; ++i) {
    crc ^= f.bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

void on_signal(int) { over = 1; }

void let_signal_come() {
  const sigset_t all = signal_bit(SIGTERM);
  sigprocmask(SIG_UNBLOCK, &all, nullptr);
  sigprocmask(SIG_BLOCK, &all, nullptr);
}

bool is_as_kept(uint32_t index) {
  const kept_file& f = files[index];
  static unsigned char bytes[LONGEST + 1];
  const int fd = open(name_of(index), O_RDONLY);
  if (fd < 0) return errno == ENOENT && !f.exists;
  const ssize_t length = read(fd, bytes, sizeof bytes);
  close(fd);
  return f.exists && length == static_cast<ssize_t>(f.length) &&
         memcmp(bytes, f.bytes, f.length) == 0;
}

[[noreturn]] void check_itself() {
  mkdir("/tmp/keeper", 0755);
  check("it has a directory", chdir("/tmp/keeper") == 0);
  state = 1;
  for (uint32_t changes = 0; changes < 300; ++changes)
    if (!change(below(FILES))) check("every change works", false);
  for (uint32_t i = 0; i < FILES; ++i) {
    check(name_of(i), is_as_kept(i));
    unlink(name_of(i));
  }
  chdir("/");
  check("nothing else was made", rmdir("/tmp/keeper") == 0);
  finish_checks();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) check_itself();
  if (argc != 3 || chdir(argv[1]) != 0) {
    printf("keeper DIRECTORY SEED\n");
    return 1;
  }
  state = static_cast<uint32_t>(atoi(argv[2])) * 2654435761u + 1;
  signal(SIGTERM, on_signal);
  uint32_t changes = 0;
  for (let_signal_come(); !over; let_signal_come(), ++changes) {
    const uint32_t index = below(FILES);
    if (!change(index)) files[index].certain = false;
    if (below(4) == 0) usleep(1000);
  }
  for (uint32_t i = 0; i < FILES; ++i)
    if (files[i].exists && files[i].certain)
      printf("kept %s %u %u\n", name_of(i), crc_of(files[i]), files[i].length);
  printf("keeper: %u changes\n", changes);
  return 0;
}
