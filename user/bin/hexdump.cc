// hexdump: bytes in hexadecimal and as text, sixteen a line; lines that repeat are one `*`.
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace {

constexpr size_t WIDTH = 16;

bool every_line;
unsigned long skip, most = ~0ul;

void print_line(unsigned long offset, const unsigned char* bytes, size_t count) {
  char text[96];
  int length = snprintf(text, sizeof text, "%08lx ", offset);
  for (size_t n = 0; n < WIDTH; ++n) {
    const char* gap = n == WIDTH / 2 ? "  " : " ";
    const size_t room = sizeof text - static_cast<size_t>(length);
    length += n < count ? snprintf(text + length, room, "%s%02x", gap, bytes[n])
                        : snprintf(text + length, room, "%s  ", gap);
  }
  char readable[WIDTH + 1] = {};
  for (size_t n = 0; n < count; ++n)
    readable[n] = isprint(bytes[n]) ? static_cast<char>(bytes[n]) : '.';
  printf("%s  |%s|\n", text, readable);
}

// The start of the output: by seeking where that is possible, by reading elsewhere.
bool skip_start(FILE* file) {
  if (skip == 0 || lseek(fileno(file), static_cast<off_t>(skip), SEEK_SET) >= 0) return true;
  for (unsigned long n = 0; n < skip; ++n)
    if (fgetc(file) == EOF) return !ferror(file);
  return true;
}

int dump(FILE* file, const char* name) {
  if (!skip_start(file)) return tool::complain(name);
  unsigned char line[WIDTH], before[WIDTH];
  unsigned long offset = skip, left = most;
  bool starred = false;
  for (bool first = true; left > 0; first = false) {
    const size_t count = fread(line, 1, left < WIDTH ? left : WIDTH, file);
    if (count == 0) break;
    const bool repeats =
        !every_line && !first && count == WIDTH && memcmp(line, before, WIDTH) == 0;
    if (!repeats)
      print_line(offset, line, count);
    else if (!starred)
      puts("*");
    starred = repeats;
    memcpy(before, line, WIDTH);
    offset += count;
    left -= count;
  }
  if (offset > skip) printf("%08lx\n", offset);
  return ferror(file) ? tool::complain(name) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-Cv] [-s SKIP] [-n BYTES] [FILE]...\nShows bytes in hexadecimal and as text.\n"
              "  -s  begins there\n  -n  so many\n  -v  repeated lines too");
  for (int option; (option = getopt(argc, argv, "Cvs:n:")) != -1;) switch (option) {
      case 'C': break;  // the only form there is
      case 'v': every_line = true; break;
      case 's': skip = tool::number(optarg); break;
      case 'n': most = tool::number(optarg); break;
      default: tool::misuse();
    }
  int status = optind == argc ? dump(stdin, "standard input") : 0;
  for (int n = optind; n < argc; ++n) {
    FILE* file = fopen(argv[n], "r");
    if (file) {
      status |= dump(file, argv[n]);
      fclose(file);
    } else {
      status = tool::complain(argv[n]);
    }
  }
  return tool::end(status);
}
