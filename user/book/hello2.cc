// Chapter 7, competing for buffers: B writes hello2.txt. See hello1.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello2.txt";
  const char str1[] = "Hello, world";
  const int fd = creat(path, 0644);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = write(fd, str1, strlen(str1));
  if (size < 0) return perror(path), 1;
  printf("B (pid %d) has written %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
