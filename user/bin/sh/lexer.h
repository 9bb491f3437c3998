// Cuts the characters of a source into words and operators.
#pragma once

#include <text.h>

#include "user/bin/sh/source.h"

enum class token_kind {
  end,
  newline,
  word,
  number,  // digits right before < or >
  operation,
  error,
};

struct token {
  token_kind kind = token_kind::end;
  text spelling;
  bool is(std::string_view operation) const {
    return kind == token_kind::operation && spelling == operation;
  }
  bool is_word(std::string_view word) const { return kind == token_kind::word && spelling == word; }
};

class lexer {
 public:
  explicit lexer(source& from) : from_(from) {}

  // A quote or a parenthesis that is not closed before the end makes an error token; `spelling`
  // says what is missing.
  token next();
  // The raw line that follows, without its newline: for here-documents. False at the end.
  bool raw_line(text& to);

 private:
  int get();
  int peek();
  void skip_blanks();
  token word();
  token operation();
  bool quoted(text& to, int quote);
  bool dollar(text& to);
  bool enclosed(text& to, int open, int close);

  source& from_;
  int pushed_ = NONE;
  static constexpr int NONE = -2;
};
