// grep: the lines in which a pattern is found. Patterns: . any character, [a-z] [^a-z] one of
// these, X* any number of X, ^ the begin, $ the end, \ takes a character as it is. The matcher is
// the classic recursive one, with backtracking.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

namespace {

bool ignore_case, inverted, numbered, counted, quiet, names_only, with_name;
const char* pattern;

bool same(char a, char b) { return ignore_case ? tolower(a) == tolower(b) : a == b; }

// The place behind one element of the pattern: a character, an escape, a set.
const char* behind_element(const char* p) {
  if (*p == '\\' && p[1]) return p + 2;
  if (*p != '[') return p + 1;
  const char* at = p + 1;
  if (*at == '^') ++at;
  if (*at == ']') ++at;
  while (*at && *at != ']') ++at;
  return *at ? at + 1 : p + 1;
}

bool in_set(const char* set, const char* end, char c) {
  const bool negated = *set == '^';
  if (negated) ++set;
  bool found = false;
  for (; set < end; ++set) {
    if (set + 2 < end && set[1] == '-') {
      const auto inside = [&](int x) { return set[0] <= x && x <= set[2]; };
      found |= inside(c) || (ignore_case && (inside(tolower(c)) || inside(toupper(c))));
      set += 2;
    } else {
      found |= same(*set, c);
    }
  }
  return found != negated;
}

bool element_matches(const char* p, char c) {
  if (c == '\0') return false;
  if (*p == '\\' && p[1]) return same(p[1], c);
  if (*p == '.') return true;
  const char* end = behind_element(p);
  if (*p == '[' && end > p + 1) return in_set(p + 1, end - 1, c);
  return same(*p, c);
}

bool matches_here(const char* p, const char* line) {
  for (;;) {
    if (*p == '\0') return true;
    if (*p == '$' && p[1] == '\0') return *line == '\0';
    const char* behind = behind_element(p);
    if (*behind == '*') {
      const char* longest = line;
      while (element_matches(p, *longest)) ++longest;
      for (;; --longest) {
        if (matches_here(behind + 1, longest)) return true;
        if (longest == line) return false;
      }
    }
    if (!element_matches(p, *line)) return false;
    p = behind;
    ++line;
  }
}

bool matches(const char* line) {
  if (*pattern == '^') return matches_here(pattern + 1, line);
  do
    if (matches_here(pattern, line)) return true;
  while (*line++);
  return false;
}

// Returns how many lines were found.
unsigned long search(FILE* file, const char* name) {
  static char* line;
  static size_t room;
  unsigned long found = 0;
  unsigned long number = 0;
  for (ssize_t length; (length = getline(&line, &room, file)) > 0;) {
    ++number;
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    if (matches(line) == inverted) continue;
    ++found;
    if (quiet || names_only) break;
    if (counted) continue;
    if (with_name) printf("%s:", name);
    if (numbered) printf("%lu:", number);
    puts(line);
  }
  if (names_only && found) puts(name);
  if (counted && with_name) printf("%s:", name);
  if (counted) printf("%lu\n", found);
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-ivncql] PATTERN [FILE]...\nPrints the lines in which the pattern is found.\n"
              "  -i  capitals or not\n  -v  the other lines\n  -n  with line numbers\n"
              "  -c  only how many\n  -q  nothing: only the exit status\n  -l  only file names");
  for (int option; (option = getopt(argc, argv, "ivncqle:")) != -1;) switch (option) {
      case 'i': ignore_case = true; break;
      case 'v': inverted = true; break;
      case 'n': numbered = true; break;
      case 'c': counted = true; break;
      case 'q': quiet = true; break;
      case 'l': names_only = true; break;
      case 'e': pattern = optarg; break;
      default: tool::misuse();
    }
  if (!pattern) pattern = optind < argc ? argv[optind++] : nullptr;
  if (!pattern) tool::misuse();
  with_name = argc - optind > 1;
  bool found = false;
  int status = 0;
  if (optind == argc) found = search(stdin, "standard input") > 0;
  for (int n = optind; n < argc; ++n) {
    FILE* file = fopen(argv[n], "r");
    if (file) {
      found |= search(file, argv[n]) > 0;
      if (ferror(file)) status = tool::complain(argv[n]) + 1;
      fclose(file);
    } else {
      status = tool::complain(argv[n]) + 1;
    }
  }
  return tool::end(status ? status : !found);
}
