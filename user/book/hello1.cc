// Chapter 7, competing for buffers: A writes hello1.txt, B (hello2) writes hello2.txt, C (hello3)
// reads 20000 bytes of hello3.txt, while every free buffer is dirty. Boot with buffers=64, and:
//   write_loop /mnt/fill 5000 ; hello1 & hello2 & hello3
//
// gdb: A finds no clean buffer in getblk, starts write_buffers for the disk, and waits; B and C
// wait as well. Each looks again after its sleep: the loop at getblk's end. (In the book A calls
// sync_dev, and B and C choose the same locked buffer: policy=0.11 has its ring.)
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
