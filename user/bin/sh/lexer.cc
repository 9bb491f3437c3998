// One token at a time; a word is kept as typed, so quotes are only skipped over here.
#include "user/bin/sh/lexer.h"

#include <ctype.h>
#include <string.h>

namespace {

bool ends_word(int c) { return c == source::END || strchr(" \t\n;&|<>()", c); }

bool all_digits(std::string_view word) {
  for (char c : word)
    if (!isdigit(c)) return false;
  return !word.empty();
}

token failure(std::string_view what) { return {token_kind::error, text(what)}; }

}  // namespace

int lexer::get() {
  if (pushed_ == NONE) return from_.next();
  const int c = pushed_;
  if (c != source::END) pushed_ = NONE;
  return c;
}

int lexer::peek() {
  if (pushed_ == NONE) pushed_ = from_.next();
  return pushed_;
}

void lexer::skip_blanks() {
  for (;;) {
    const int c = peek();
    if (c == ' ' || c == '\t') {
      get();
    } else if (c == '#') {
      while (peek() != '\n' && peek() != source::END) get();
    } else {
      return;
    }
  }
}

token lexer::next() {
  skip_blanks();
  const int c = peek();
  if (c == source::END) return {};
  if (c == '\n') {
    get();
    return {token_kind::newline, text("newline")};
  }
  return strchr(";&|<>()", c) ? operation() : word();
}

token lexer::operation() {
  token t{token_kind::operation, {}};
  t.spelling.add(static_cast<char>(get()));
  static const char* const DOUBLE[] = {"&&", "||", ";;", ">>", "<<", ">&", "<&", "<>", ">|"};
  for (const char* both : DOUBLE)
    if (t.spelling[0] == both[0] && peek() == both[1]) {
      t.spelling.add(static_cast<char>(get()));
      break;
    }
  return t;
}

token lexer::word() {
  token t{token_kind::word, {}};
  while (!ends_word(peek())) {
    const int c = get();
    if (c == '\\') {
      const int escaped = get();
      if (escaped == '\n' || escaped == source::END) continue;
      t.spelling.add('\\').add(static_cast<char>(escaped));
      continue;
    }
    t.spelling.add(static_cast<char>(c));
    if ((c == '\'' || c == '"' || c == '`') && !quoted(t.spelling, c))
      return failure(c == '\'' ? "missing '" : c == '"' ? "missing \"" : "missing `");
    if (c == '$' && !dollar(t.spelling)) return failure("missing ) or }");
  }
  if ((peek() == '<' || peek() == '>') && all_digits(t.spelling)) t.kind = token_kind::number;
  return t;
}

// Up to and with the closing quote.
bool lexer::quoted(text& to, int quote) {
  for (;;) {
    const int c = get();
    if (c == source::END) return false;
    to.add(static_cast<char>(c));
    if (c == quote) return true;
    if (quote == '\'') continue;
    if (c == '\\') {
      const int escaped = get();
      if (escaped == source::END) return false;
      to.add(static_cast<char>(escaped));
    } else if (c == '$' && quote == '"' && !dollar(to)) {
      return false;
    }
  }
}

// Behind a $: what stands in parentheses or braces belongs to the word.
bool lexer::dollar(text& to) {
  if (peek() == '(') return enclosed(to, '(', ')');
  if (peek() == '{') return enclosed(to, '{', '}');
  return true;
}

bool lexer::enclosed(text& to, int open, int close) {
  for (int depth = 0;;) {
    const int c = get();
    if (c == source::END) return false;
    to.add(static_cast<char>(c));
    if (c == open) ++depth;
    if (c == close && --depth == 0) return true;
    if (c == '\\' && peek() != source::END) to.add(static_cast<char>(get()));
    if ((c == '\'' || c == '"') && !quoted(to, c)) return false;
  }
}

bool lexer::raw_line(text& to) {
  if (peek() == source::END) return false;
  for (int c; (c = get()) != '\n' && c != source::END;) to.add(static_cast<char>(c));
  return true;
}
