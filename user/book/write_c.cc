// Chapter 7, several processes and one file: C writes "ABCDE". See read_a.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const char str1[] = "ABCDE";
  const int fd = open(path, O_RDWR);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = write(fd, str1, strlen(str1));
  if (size < 0) return perror(path), 1;
  printf("C (pid %d) has written %d bytes\n", getpid(), size);
  return close(fd) < 0 ? perror(path), 1 : 0;
}
