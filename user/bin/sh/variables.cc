// One list; a shell has few variables.
#include "user/bin/sh/variables.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

namespace variables {

namespace {

struct variable {
  text name, value;
  bool exported;
};

vector<variable> all;

variable* find(std::string_view name) {
  for (variable& v : all)
    if (v.name == name) return &v;
  return nullptr;
}

}  // namespace

void import_environment() {
  for (char** each = environ; each && *each; ++each) {
    const std::string_view whole(*each);
    const size_t length = assignment_length(whole);
    if (length == 0) continue;
    set(whole.substr(0, length), whole.substr(length + 1));
    mark_exported(whole.substr(0, length));
  }
}

const char* get(std::string_view name) {
  variable* found = find(name);
  return found ? found->value.c_str() : nullptr;
}

void set(std::string_view name, std::string_view value) {
  if (variable* found = find(name))
    found->value = text(value);
  else
    all.push_back({text(name), text(value), false});
}

void unset(std::string_view name) {
  for (size_t n = 0; n < all.size(); ++n)
    if (all[n].name == name) return all.erase(n);
}

void mark_exported(std::string_view name) {
  if (!find(name)) set(name, "");
  find(name)->exported = true;
}

void export_all() {
  static char* nothing[] = {nullptr};
  environ = nothing;
  for (variable& v : all)
    if (v.exported) setenv(v.name.c_str(), v.value.c_str(), 1);
}

void print(bool exported_only) {
  for (variable& v : all)
    if (v.exported || !exported_only)
      printf("%s%s='%s'\n", exported_only ? "export " : "", v.name.c_str(), v.value.c_str());
}

bool is_name(std::string_view word) {
  if (word.empty() || isdigit(word[0])) return false;
  for (char c : word)
    if (!isalnum(c) && c != '_') return false;
  return true;
}

size_t assignment_length(std::string_view word) {
  const size_t equals = word.find('=');
  return equals != word.npos && is_name(word.substr(0, equals)) ? equals : 0;
}

}  // namespace variables
