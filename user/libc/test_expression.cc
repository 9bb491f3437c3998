// Conditions on files, texts and numbers: ! EXPR, EXPR -a EXPR, EXPR -o EXPR, ( EXPR ).
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <test_expression.h>
#include <tool.h>
#include <unistd.h>

#include <initializer_list>

namespace {

bool same(const char* a, const char* b) { return strcmp(a, b) == 0; }

bool test_file(char what, const char* path) {
  struct stat about;
  if (what == 'r') return access(path, R_OK) == 0;
  if (what == 'w') return access(path, W_OK) == 0;
  if (what == 'x') return access(path, X_OK) == 0;
  if (stat(path, &about) < 0) return false;
  switch (what) {
    case 'f': return S_ISREG(about.st_mode);
    case 'd': return S_ISDIR(about.st_mode);
    case 'b': return S_ISBLK(about.st_mode);
    case 'c': return S_ISCHR(about.st_mode);
    case 'p': return S_ISFIFO(about.st_mode);
    case 's': return about.st_size > 0;
    default: return true;  // -e
  }
}

class evaluator {
 public:
  evaluator(const char* const* words, int count) : words_(words), left_(count) {}

  int whole() {
    if (left_ == 0) return 1;
    const bool value = any();
    if (!failed_ && left_ > 0) fail(*words_, "not expected here");
    return failed_ ? 2 : !value;
  }

 private:
  const char* take() {
    if (left_ == 0) return fail("condition", "something is missing"), "";
    --left_;
    return *words_++;
  }
  bool next_is(const char* word) const { return left_ > 0 && same(*words_, word); }
  bool fail(const char* what, const char* reason) {
    if (!failed_) tool::complain(what, reason);
    failed_ = true;
    left_ = 0;
    return false;
  }

  bool any() {
    bool value = every();
    while (next_is("-o")) {
      take();
      value = every() || value;
    }
    return value;
  }
  bool every() {
    bool value = one();
    while (next_is("-a")) {
      take();
      value = one() && value;
    }
    return value;
  }

  bool one() {
    if (left_ >= 3 && is_binary(words_[1])) return binary();
    if (next_is("!") && left_ > 1) {
      take();
      return !one();
    }
    if (next_is("(") && left_ > 1) {
      take();
      const bool value = any();
      if (!next_is(")")) return fail("condition", "missing )");
      take();
      return value;
    }
    const char* word = take();
    const bool unary = word[0] == '-' && word[1] && !word[2] && strchr("nzrwxfdbcpset", word[1]);
    if (!unary || left_ == 0) return *word;
    const char* operand = take();
    if (word[1] == 'n') return *operand;
    if (word[1] == 'z') return !*operand;
    if (word[1] == 't') return isatty(atoi(operand));
    return test_file(word[1], operand);
  }

  static bool is_binary(const char* word) {
    for (const char* o : {"=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
      if (same(word, o)) return true;
    return false;
  }

  long number(const char* word) {
    char* end;
    const long value = strtol(word, &end, 10);
    if (end == word || *end) fail(word, "not a number");
    return value;
  }

  bool binary() {
    const char* left = take();
    const char* o = take();
    const char* right = take();
    if (same(o, "=") || same(o, "==")) return same(left, right);
    if (same(o, "!=")) return !same(left, right);
    const long a = number(left), b = number(right);
    if (same(o, "-eq")) return a == b;
    if (same(o, "-ne")) return a != b;
    if (same(o, "-lt")) return a < b;
    if (same(o, "-le")) return a <= b;
    return same(o, "-gt") ? a > b : a >= b;
  }

  const char* const* words_;
  int left_;
  bool failed_ = false;
};

}  // namespace

int test_expression(int count, const char* const* arguments) {
  if (same(arguments[0], "[")) {
    if (!same(arguments[count - 1], "]")) return tool::complain("[", "missing ]") + 1;
    --count;
  }
  return evaluator(arguments + 1, count - 1).whole();
}
