// Chapter 5, the second way of synchronising: "Hello, world" written a million times. 12 000 000
// bytes are 11 719 blocks, more than the buffer cache has clean ones.
//
// gdb: getblk, at the moment when no buffer is clean: make_room writes the dirty ones of a disk
// (write_buffers; in the book sync_dev) before getblk takes one; no update process was needed. Boot
// with buffers=64 to see it at once, or give a smaller count:   write_loop /mnt/hello.txt 1000
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const int count = argc > 2 ? atoi(argv[2]) : 1000000;
  const char str1[] = "Hello, world";
  const int fd = creat(path, 0644);
  if (fd < 0) return perror(path), 1;
  for (int i = 0; i < count; i++)
    if (write(fd, str1, strlen(str1)) < 0) return perror(path), 1;
  if (close(fd) < 0) return perror(path), 1;
  printf("%s: %d times %zu bytes\n", path, count, strlen(str1));
  return 0;
}
