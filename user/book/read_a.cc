// Chapter 7, several processes and one file: A reads 100 bytes, B (read_b) 200, C (write_c) writes
// "ABCDE". Start them together:   read_a & read_b & write_c
//
// gdb: three entries of file_table, one inode, one buffer. While the block is being read all three
// wait for the same buffer: its b_wait lists them, the latest first. (In the book the queue runs
// through the stacks of the three.)
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  char buffer[100];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = read(fd, buffer, sizeof buffer);
  if (size < 0) return perror(path), 1;
  printf("A (pid %d) has read %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
