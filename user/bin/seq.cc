// seq: numbers, one a line.
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>

namespace {

long parse(const char* word) {
  char* end;
  const long value = strtol(word, &end, 10);
  if (end == word || *end) tool::misuse("that is not a number");
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[FIRST [STEP]] LAST\nPrints numbers from FIRST (1) to LAST.");
  if (argc < 2 || argc > 4) tool::misuse();
  const long first = argc > 2 ? parse(argv[1]) : 1;
  const long step = argc > 3 ? parse(argv[2]) : 1;
  const long last = parse(argv[argc - 1]);
  if (step == 0) tool::misuse("STEP must not be 0");
  for (long n = first; step > 0 ? n <= last : n >= last; n += step) printf("%ld\n", n);
  return tool::end(0);
}
