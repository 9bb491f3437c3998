// Reading options: single letters, joined or not, some with an argument; `--` ends them.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char* optarg;
int optind = 1, opterr = 1, optopt;

namespace {

int complain(const char* name, const char* what) {
  if (opterr) fprintf(stderr, "%s: option -%c %s\n", name, optopt, what);
  return '?';
}

}  // namespace

int getopt(int argc, char* const argv[], const char* options) {
  static int at = 1;  // within argv[optind]
  if (optind >= argc) return -1;
  const char* word = argv[optind];
  if (at == 1) {
    if (word[0] != '-' || word[1] == '\0') return -1;
    if (strcmp(word, "--") == 0) {
      ++optind;
      return -1;
    }
  }
  optopt = word[at++];
  const char* known = optopt == ':' ? nullptr : strchr(options, optopt);
  const bool last = word[at] == '\0';
  const bool wants_argument = known && known[1] == ':';
  if (last || wants_argument) ++optind;
  const int rest = at;
  if (last || wants_argument) at = 1;
  if (!known) return complain(argv[0], "is not known");
  if (!wants_argument) return optopt;
  if (!last) {
    optarg = argv[optind - 1] + rest;
  } else if (optind < argc) {
    optarg = argv[optind++];
  } else {
    return complain(argv[0], "needs an argument");
  }
  return optopt;
}
