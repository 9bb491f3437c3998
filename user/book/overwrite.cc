// Chapter 5, changing a file: lseek to a place, write over what is there.
//
// gdb: sys_lseek changes only f_pos of the open file; file_write finds the block by bmap, reads it
// (bread: what is not overwritten must stay), and changes the bytes in the buffer.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const char str1[] = "WORLD";
  const int fd = open(path, O_RDWR);
  if (fd < 0) return perror(path), 1;
  if (lseek(fd, 7, SEEK_SET) < 0) return perror(path), 1;
  if (write(fd, str1, strlen(str1)) < 0) return perror(path), 1;
  return close(fd) < 0 ? perror(path), 1 : 0;
}
