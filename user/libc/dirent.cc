// Reading directories by getdents, some entries at a time.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/libc/syscall.h"

struct DIR {
  int fd;
  int filled, at;
  struct dirent entry;
  alignas(abi::dirent) char buffer[1024];
};

DIR* opendir(const char* path) {
  const int fd = open(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return nullptr;
  auto* directory = static_cast<DIR*>(malloc(sizeof(DIR)));
  if (!directory) {
    close(fd);
    return nullptr;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  directory->fd = fd;
  directory->filled = directory->at = 0;
  return directory;
}

struct dirent* readdir(DIR* directory) {
  if (directory->at >= directory->filled) {
    directory->at = 0;
    directory->filled = system_call(abi::syscall::getdents, directory->fd, directory->buffer,
                                    sizeof directory->buffer);
    if (directory->filled <= 0) return nullptr;
  }
  const char* record = directory->buffer + directory->at;
  abi::dirent fixed;
  memcpy(&fixed, record, sizeof fixed);
  directory->at += fixed.record_length;
  struct dirent& entry = directory->entry;
  entry.d_ino = fixed.ino;
  entry.d_off = static_cast<off_t>(fixed.offset);
  entry.d_reclen = fixed.record_length;
  strncpy(entry.d_name, record + abi::dirent_name_offset, sizeof entry.d_name - 1);
  entry.d_name[sizeof entry.d_name - 1] = '\0';
  return &entry;
}

int closedir(DIR* directory) {
  const int answer = close(directory->fd);
  free(directory);
  return answer;
}
