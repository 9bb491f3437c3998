// Chapter 7, competing for buffers: C reads 20000 bytes of hello3.txt. See hello1.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello3.txt";
  static char buffer[20000];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = read(fd, buffer, sizeof buffer);
  if (size < 0) return perror(path), 1;
  printf("C (pid %d) has read %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
