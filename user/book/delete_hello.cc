// Chapter 5, deleting: unlink takes the name away; the file itself goes when no process has it
// open.
//
// gdb: sys_unlink clears the entry and counts i_nlinks down; here the file is still open, so that
// reading goes on working. iput, called by close, finds i_nlinks 0: truncate, free_block,
// free_inode.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return perror(path), 1;
  if (unlink(path) < 0) return perror(path), 1;
  char buffer[16];
  const ssize_t size = read(fd, buffer, sizeof buffer);
  printf("%s has no name any more; %d bytes were read from it\n", path, size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
