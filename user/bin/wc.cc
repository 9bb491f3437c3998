// wc: counts lines, words and bytes.
#include <ctype.h>
#include <stdio.h>
#include <tool.h>
#include <unistd.h>

namespace {

bool lines_wanted, words_wanted, bytes_wanted;

struct counts {
  unsigned long lines = 0, words = 0, bytes = 0;
};

void print(const counts& c, const char* name) {
  const char* gap = "";
  const auto column = [&](bool wanted, unsigned long count) {
    if (!wanted) return;
    const bool alone = lines_wanted + words_wanted + bytes_wanted == 1 && !name;
    printf("%s%*lu", gap, alone ? 0 : 7, count);
    gap = " ";
  };
  column(lines_wanted, c.lines);
  column(words_wanted, c.words);
  column(bytes_wanted, c.bytes);
  printf(name ? " %s\n" : "\n", name);
}

counts count(FILE* file) {
  counts result;
  bool in_word = false;
  for (int c; (c = fgetc(file)) != EOF;) {
    ++result.bytes;
    if (c == '\n') ++result.lines;
    if (!isspace(c) && !in_word) ++result.words;
    in_word = !isspace(c);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[-lwc] [FILE]...\nCounts lines (-l), words (-w) and bytes (-c).");
  for (int option; (option = getopt(argc, argv, "lwc")) != -1;) switch (option) {
      case 'l': lines_wanted = true; break;
      case 'w': words_wanted = true; break;
      case 'c': bytes_wanted = true; break;
      default: tool::misuse();
    }
  if (!lines_wanted && !words_wanted && !bytes_wanted)
    lines_wanted = words_wanted = bytes_wanted = true;
  int status = 0;
  counts total;
  if (optind == argc) print(count(stdin), nullptr);
  for (int n = optind; n < argc; ++n) {
    FILE* file = fopen(argv[n], "r");
    if (!file) {
      status = tool::complain(argv[n]);
      continue;
    }
    const counts c = count(file);
    if (ferror(file)) status = tool::complain(argv[n]);
    fclose(file);
    print(c, argv[n]);
    total = {total.lines + c.lines, total.words + c.words, total.bytes + c.bytes};
  }
  if (argc - optind > 1) print(total, "total");
  return tool::end(status);
}
