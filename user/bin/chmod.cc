// chmod: changes the access rights of files.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tool.h>

namespace {

// Octal, or clauses like u+x, go-w, a=r with commas between. -1: neither.
int new_mode(const char* word, mode_t old) {
  char* end;
  const long octal = strtol(word, &end, 8);
  if (end != word && !*end) return octal & 07777;
  int mode = old & 07777;
  do {
    int who = 0, rights = 0;
    for (; *word && strchr("ugoa", *word); ++word)
      who |= *word == 'u' ? 0700 : *word == 'g' ? 070 : *word == 'o' ? 07 : 0777;
    if (who == 0) who = 0777;
    const char operation = *word;
    if (!operation || !strchr("+-=", operation)) return -1;
    for (++word; *word && strchr("rwx", *word); ++word)
      rights |= *word == 'r' ? 0444 : *word == 'w' ? 0222 : 0111;
    if (operation == '=') mode &= ~who;
    mode = operation == '-' ? mode & ~(who & rights) : mode | (who & rights);
  } while (*word++ == ',');
  return word[-1] ? -1 : mode;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "MODE FILE...\nChanges the rights: octal (644) or like u+x,go-w.");
  if (argc < 3) tool::misuse();
  int status = 0;
  for (int n = 2; n < argc; ++n) {
    struct stat about;
    if (stat(argv[n], &about) < 0) {
      status = tool::complain(argv[n]);
      continue;
    }
    const int mode = new_mode(argv[1], about.st_mode);
    if (mode < 0) tool::misuse("that is not a mode");
    if (chmod(argv[n], static_cast<mode_t>(mode)) < 0) status = tool::complain(argv[n]);
  }
  return status;
}
