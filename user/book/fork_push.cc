// Chapter 6, copying on writing: A forks B; both have the same pages, read-only, until one of them
// pushes something on its stack.
//
// gdb: copy_page_tables clears the write permission on both sides and counts mem_map up. The first
// push faults: do_wp_page finds a count above 1 and copies the page (in the book un_wp_page does).
// The other's push faults too: the count is 1 now, and the page only becomes writable again.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

volatile int shared = 1;

void push(const char* who, int value) {
  volatile int on_stack[64];
  for (volatile int& place : on_stack) place = value;
  shared = value;
  printf("%s: pid %d, shared = %d, stack at %p\n", who, getpid(), shared,
         const_cast<int*>(&on_stack[0]));
}

}  // namespace

int main() {
  const pid_t child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) {
    push("B", 2);
    return 0;
  }
  push("A", 3);
  waitpid(child, nullptr, 0);
  printf("A: shared is still %d\n", shared);
  return shared == 3 ? 0 : 1;
}
