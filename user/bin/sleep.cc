// sleep: waits. The seconds may have a fraction.
#include <ctype.h>
#include <stdlib.h>
#include <time.h>
#include <tool.h>

namespace {

// "1.25" and ".1" too.
struct timespec parse(const char* word) {
  char* at = const_cast<char*>(word);
  struct timespec result = {0, 0};
  if (isdigit(*at)) result.tv_sec = strtol(at, &at, 10);
  if (*at == '.')
    for (int unit = 100'000'000; isdigit(*++at); unit /= 10) result.tv_nsec += unit * (*at - '0');
  if (at == word || *at) tool::misuse("that is not a time");
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "SECONDS\nWaits so long; 0.25 is a quarter of a second.");
  if (argc != 2) tool::misuse();
  struct timespec left = parse(argv[1]);
  while (nanosleep(&left, &left) < 0) continue;
  return 0;
}
