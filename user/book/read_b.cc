// Chapter 7, several processes and one file: B reads 200 bytes. See read_a.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  char buffer[200];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = read(fd, buffer, sizeof buffer);
  if (size < 0) return perror(path), 1;
  printf("B (pid %d) has read %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
