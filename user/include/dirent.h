// Reading directories.
#pragma once

#include <sys/types.h>

struct dirent {
  ino_t d_ino;
  off_t d_off;
  unsigned short d_reclen;
  char d_name[256];
};

struct DIR;

extern "C" {
DIR* opendir(const char* path);
struct dirent* readdir(DIR* directory);  // null at the end, errno untouched; or on an error
int closedir(DIR* directory);
}
