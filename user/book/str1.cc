// Chapter 6, a process and its memory: foo calls itself six times, each time with 2 KiB on the
// stack, and says where they are; then it sleeps. Start it several times at once (str1 & str1 &) to
// see that they all have the same addresses and different memory.
//
// gdb: copy_process and copy_page_tables (the shell forks), do_execve, do_no_page (first the code,
// then the stack as it grows), schedule, do_exit.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int foo(int n) {
  char text[2048];
  memset(text, n, sizeof text);
  printf("text_%d at %p, pid %d\n", n, static_cast<void*>(text), getpid());
  sleep(5);
  if (n == 0) return 0;
  return foo(n - 1) + text[0];
}

int main() {
  foo(6);
  return 0;
}
