// Patterns: * any text, ? any character, [a-z] [!a-z] one of these; a backslash makes the next
// character ordinary. A leading dot must be written.
#include <dirent.h>
#include <sys/stat.h>

#include "user/bin/sh/expand.h"

namespace {

int by_text(const void* a, const void* b) {
  return strcmp(static_cast<const text*>(a)->c_str(), static_cast<const text*>(b)->c_str());
}

// `set` stands behind the bracket. Returns the place behind the closing one; null: there is none.
const char* match_set(const char* set, char c, bool& found) {
  const bool inverted = *set == '!' || *set == '^';
  if (inverted) ++set;
  found = false;
  for (const char* first = set; *set && (*set != ']' || set == first);) {
    if (*set == '\\' && set[1]) ++set;
    const char low = *set++;
    char high = low;
    if (*set == '-' && set[1] && set[1] != ']') {
      high = set[1];
      set += 2;
    }
    if (low <= c && c <= high) found = true;
  }
  if (inverted) found = !found;
  return *set ? set + 1 : nullptr;
}

void match_below(text path, std::string_view pattern, vector<text>& to);

void match_directory(const text& path, std::string_view component, std::string_view rest,
                     vector<text>& to) {
  DIR* directory = opendir(path.empty() ? "." : path.c_str());
  if (!directory) return;
  const text wanted(component);
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.' && wanted[0] != '.') continue;
    if (!matches(wanted.c_str(), entry->d_name)) continue;
    text longer(path.view());
    longer.add(entry->d_name);
    match_below(std::move(longer), rest, to);
  }
  closedir(directory);
}

// The files whose names begin with `path` and go on as `pattern`.
void match_below(text path, std::string_view pattern, vector<text>& to) {
  while (pattern.starts_with('/')) {
    path.add('/');
    pattern.remove_prefix(1);
  }
  if (pattern.empty()) {
    struct stat unused;
    if (lstat(path.c_str(), &unused) == 0) to.push_back(std::move(path));
    return;
  }
  const size_t slash = pattern.find('/');
  const std::string_view component = pattern.substr(0, slash);
  const std::string_view rest = slash == pattern.npos ? "" : pattern.substr(slash);
  if (has_wildcard(component)) return match_directory(path, component, rest, to);
  path.add(without_escapes(component));
  match_below(std::move(path), rest, to);
}

}  // namespace

bool has_wildcard(std::string_view pattern) {
  for (size_t n = 0; n < pattern.size(); ++n) {
    if (pattern[n] == '\\')
      ++n;
    else if (pattern[n] == '*' || pattern[n] == '?' || pattern[n] == '[')
      return true;
  }
  return false;
}

bool matches(const char* pattern, const char* name) {
  for (; *pattern; ++pattern, ++name) {
    if (*pattern == '*') {
      do
        if (matches(pattern + 1, name)) return true;
      while (*name++);
      return false;
    }
    if (!*name) return false;
    if (*pattern == '?') continue;
    if (*pattern == '[') {
      bool found;
      if (const char* behind = match_set(pattern + 1, *name, found)) {
        if (!found) return false;
        pattern = behind - 1;
        continue;
      }
    }
    if (*pattern == '\\' && pattern[1]) ++pattern;
    if (*pattern != *name) return false;
  }
  return !*name;
}

text without_escapes(std::string_view pattern) {
  text result;
  for (size_t n = 0; n < pattern.size(); ++n) {
    if (pattern[n] == '\\' && n + 1 < pattern.size()) ++n;
    result.add(pattern[n]);
  }
  return result;
}

void match_files(std::string_view pattern, vector<text>& to) {
  vector<text> found;
  match_below(text(), pattern, found);
  qsort(found.begin(), found.size(), sizeof(text), by_text);
  for (text& path : found) to.push_back(std::move(path));
}
