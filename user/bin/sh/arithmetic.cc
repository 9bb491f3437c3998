// $((expression)): whole numbers, C's operators, variables by name.
#include <ctype.h>
#include <stdio.h>
#include <tool.h>

#include "user/bin/sh/expand.h"
#include "user/bin/sh/variables.h"

namespace {

struct binary_operator {
  const char* spelling;
  int binding;  // tighter is higher
};

// Longer spellings stand before their beginnings.
constexpr binary_operator OPERATORS[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<<", 8}, {">>", 8},
    {"<=", 7}, {">=", 7}, {"<", 7},  {">", 7},  {"|", 3},  {"^", 4},
    {"&", 5},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

class evaluator {
 public:
  explicit evaluator(const char* at) : at_(at) {}

  long whole() {
    const long value = binary(1);
    skip_blanks();
    if (*at_) fail(at_);
    return failed_ ? 0 : value;
  }

 private:
  void skip_blanks() {
    while (isspace(*at_)) ++at_;
  }
  long fail(const char* what) {
    if (!failed_) tool::complain("arithmetic", *what ? what : "something is missing");
    failed_ = true;
    return 0;
  }

  const binary_operator* peek_operator() {
    skip_blanks();
    for (const binary_operator& o : OPERATORS)
      if (strncmp(at_, o.spelling, strlen(o.spelling)) == 0) return &o;
    return nullptr;
  }

  long binary(int least_binding) {
    long left = unary();
    for (;;) {
      const binary_operator* o = peek_operator();
      if (!o || o->binding < least_binding || failed_) return left;
      at_ += strlen(o->spelling);
      left = apply(o->spelling, left, binary(o->binding + 1));
    }
  }

  long apply(std::string_view o, long a, long b) {
    const auto ua = static_cast<unsigned long>(a), ub = static_cast<unsigned long>(b);
    if (o == "+") return static_cast<long>(ua + ub);
    if (o == "-") return static_cast<long>(ua - ub);
    if (o == "*") return static_cast<long>(ua * ub);
    if (o == "/" || o == "%") {
      if (b == 0) return fail("division by zero");
      if (b == -1) return o == "/" ? static_cast<long>(0 - ua) : 0;
      return o == "/" ? a / b : a % b;
    }
    if (o == "<<") return static_cast<long>(ua << (ub & 31));
    if (o == ">>") return a >> (ub & 31);
    if (o == "<") return a < b;
    if (o == ">") return a > b;
    if (o == "<=") return a <= b;
    if (o == ">=") return a >= b;
    if (o == "==") return a == b;
    if (o == "!=") return a != b;
    if (o == "&&") return a && b;
    if (o == "||") return a || b;
    return o == "&" ? (a & b) : o == "|" ? (a | b) : (a ^ b);
  }

  long unary() {
    skip_blanks();
    switch (*at_) {
      case '-': ++at_; return static_cast<long>(0 - static_cast<unsigned long>(unary()));
      case '+': ++at_; return unary();
      case '!': ++at_; return !unary();
      case '~': ++at_; return ~unary();
      case '(': return parenthesis();
      default: return isdigit(*at_) ? number() : variable();
    }
  }

  long parenthesis() {
    ++at_;
    const long value = binary(1);
    skip_blanks();
    if (*at_ != ')') return fail("missing )");
    ++at_;
    return value;
  }

  long number() {
    char* end;
    const long value = strtol(at_, &end, 0);
    at_ = end;
    return value;
  }

  long variable() {
    const char* start = at_;
    while (isalnum(*at_) || *at_ == '_') ++at_;
    if (at_ == start) return fail(at_);
    const char* value = variables::get({start, static_cast<size_t>(at_ - start)});
    return value ? strtol(value, nullptr, 0) : 0;
  }

  const char* at_;
  bool failed_ = false;
};

}  // namespace

long evaluate(std::string_view expression) { return evaluator(text(expression).c_str()).whole(); }
