// Chapter 5, creating a file: creat, write "Hello, world", close.
//
// gdb: open_namei (no entry: new_inode, add_entry), file_write → create_block → new_block, and
// buffer_head::b_dirt of the block that file_write has just filled. After it the stick still holds
// nothing of this: that is update's work, or getblk's (write_loop).
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/mnt/user/user1/user2/hello.txt";
  const char str1[] = "Hello, world";
  const int fd = creat(path, 0644);
  if (fd < 0) return perror(path), 1;
  const ssize_t size = write(fd, str1, strlen(str1));
  if (size < 0) return perror(path), 1;
  if (close(fd) < 0) return perror(path), 1;
  printf("%s: %d bytes\n", path, size);
  return 0;
}
