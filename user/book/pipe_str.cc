// Chapter 8, a pipe between father and child: one array, written by the one, read by the other.
//
// gdb: sys_pipe (an inode whose data is a page), write_pipe and read_pipe: the two positions go
// round in the page; the reader of an empty pipe sleeps until the writer wakes it.
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr char STR1[] = "ABCDEABCDEABCDEABCDE";
constexpr int TIMES = 500;  // 10000 bytes: more than a pipe holds at once

int write_all_times(int fd) {
  for (int n = 0; n < TIMES; n++)
    if (write(fd, STR1, strlen(STR1)) < 0) return perror("write"), 1;
  return close(fd);
}

}  // namespace

int main() {
  int fd[2];
  if (pipe(fd) < 0) return perror("pipe"), 1;
  const pid_t child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) {
    close(fd[0]);
    return write_all_times(fd[1]);
  }
  close(fd[1]);
  char buffer[1024];
  int total = 0;
  for (ssize_t size; (size = read(fd[0], buffer, sizeof buffer)) > 0;) total += size;
  waitpid(child, nullptr, 0);
  printf("the father has read %d bytes\n", total);
  return total == TIMES * static_cast<int>(strlen(STR1)) ? 0 : 1;
}
