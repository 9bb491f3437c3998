// The end of memory, met by system calls: they are refused, and work again when there is room.
//
// `hog hold` keeps memory full until it is interrupted: it takes the last page, and every page that
// becomes free. So the kernel can be watched while it has no memory.
#include <fcntl.h>
#include <string.h>

#include "user/tests/check.h"

namespace {

constexpr long PAGE = 4096;
char* const HEAP_END = reinterpret_cast<char*>(0x70000000);

int zeros;       // /dev/zero
char* heap;      // where the pages begin that are taken
char* next_one;  // and where the next will stand

// A page that the kernel fills is there when read returns; it is refused, not killed, when there is
// none.
bool take_page() {
  if (read(zeros, next_one, PAGE) != PAGE) return false;
  next_one += PAGE;
  return true;
}

void begin() {
  zeros = open("/dev/zero", O_RDONLY);
  heap = static_cast<char*>(sbrk(0));
  heap += (PAGE - reinterpret_cast<long>(heap) % PAGE) % PAGE;
  next_one = heap;
  brk(HEAP_END);
}

[[noreturn]] void hold() {
  static const char full[] = "memory is full\n";
  begin();
  while (take_page()) {
  }
  write(STDOUT_FILENO, full, sizeof full - 1);
  for (;;)
    if (!take_page()) usleep(1000);
}

int take_and_give_back() {
  begin();
  while (take_page()) {
  }
  const bool refused = errno == ENOMEM;
  const bool many = next_one - heap > 1024 * PAGE;
  brk(heap);
  return refused && many ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "hold") == 0) hold();
  check_equal("read is refused when memory is full", status_of_child(take_and_give_back), 0);
  check_equal("and works again when there is some", status_of_child(take_and_give_back), 0);
  check_equal("a program still runs", status_of_child([] {
                execl("/bin/true", "true", nullptr);
                return 1;
              }),
              0);
  finish_checks();
}
