// Chapter 5, opening and reading: open hello.txt for reading and writing, read 12000 bytes.
//
// gdb: open_namei, dir_namei, find_entry, once for each name of the path; iget where the path
// crosses from the root disk to the stick. Then file_read → bmap: blocks 0 to 6 stand in the inode
// itself (i_zone[0…6]), block 7 and those behind it in the block that i_zone[7] names.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  static char buffer[12000];
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const int fd = open(path, O_RDWR, 0644);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = read(fd, buffer, sizeof buffer);
  if (size < 0) return perror(path), 1;
  printf("%s: %d bytes\n", path, size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
