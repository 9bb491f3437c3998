// Chapter 7, competing for buffers: A writes hello1.txt, B (hello2) writes hello2.txt, C (hello3)
// reads 20000 bytes of hello3.txt, while every free buffer is dirty. Boot with buffers=64, and:
//   write_loop /mnt/fill 5000 ; hello1 & hello2 & hello3
//
// gdb: A, in getblk, starts sync_dev and waits; B and C choose the same locked buffer; the first to
// wake takes it, the other looks again (the loop at getblk's end).
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello1.txt";
  const char str1[] = "Hello, world";
  const int fd = creat(path, 0644);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = write(fd, str1, strlen(str1));
  if (size < 0) return perror(path), 1;
  printf("A (pid %d) has written %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
