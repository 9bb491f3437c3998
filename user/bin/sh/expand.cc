// Turns the words of a command into arguments; see expand.h for what that means.
#include "user/bin/sh/expand.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/bin/sh/execute.h"
#include "user/bin/sh/variables.h"

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// One past the quote that closes what opens at `at`.
size_t end_of_quoted(std::string_view word, size_t at) {
  const char quote = word[at];
  for (++at; at < word.size() && word[at] != quote; ++at)
    if (word[at] == '\\' && quote == '"') ++at;
  return at + 1;
}

// One past the character that closes the construct that opens at `at`; what is quoted is skipped.
size_t end_of_enclosed(std::string_view word, size_t at, char open, char close) {
  for (int depth = 0; at < word.size();) {
    const char c = word[at];
    if (c == '\'' || c == '"') {
      at = end_of_quoted(word, at);
      continue;
    }
    at += c == '\\' ? 2 : 1;
    if (c == open) ++depth;
    if (c == close && --depth == 0) return at;
  }
  return word.size();
}

class expansion {
 public:
  expansion(vector<text>& to, bool splits) : to_(to), splits_(splits) {}

  void word(std::string_view word);
  void document(std::string_view document);
  void end_field();
  text take() { return std::move(field_); }

 private:
  void put(char c, bool quoted);
  void put_value(std::string_view value, bool quoted);
  size_t double_quotes(std::string_view word, size_t at);
  size_t dollar(std::string_view word, size_t at, bool quoted);
  size_t backquotes(std::string_view word, size_t at, bool quoted);
  void parameter(std::string_view name, bool quoted);
  void braces(std::string_view inside, bool quoted);
  void all_arguments(bool separate, bool quoted);

  vector<text>& to_;
  const bool splits_;
  text field_;
  bool exists_ = false;  // the field, even when it is empty: ''
};

void expansion::put(char c, bool quoted) {
  if (c == '\\' || (quoted && (c == '*' || c == '?' || c == '['))) field_.add('\\');
  field_.add(c);
  exists_ = true;
}

void expansion::end_field() {
  if (exists_) to_.push_back(std::move(field_));
  field_ = text();
  exists_ = false;
}

// Adds the value of a parameter or the output of a command: unquoted, its blanks separate fields.
void expansion::put_value(std::string_view value, bool quoted) {
  for (char c : value)
    if (!quoted && splits_ && is_blank(c))
      end_field();
    else
      put(c, quoted);
}

void expansion::word(std::string_view word) {
  size_t at = 0;
  if (word.starts_with('~') && (word.size() == 1 || word[1] == '/')) {
    const char* home = variables::get("HOME");
    put_value(home ? home : "/", true);
    ++at;
  }
  while (at < word.size()) {
    const char c = word[at];
    if (c == '\'') {
      exists_ = true;
      for (++at; at < word.size() && word[at] != '\''; ++at) put(word[at], true);
      ++at;
    } else if (c == '"') {
      at = double_quotes(word, at + 1);
    } else if (c == '\\' && at + 1 < word.size()) {
      put(word[at + 1], true);
      at += 2;
    } else if (c == '$') {
      at = dollar(word, at, false);
    } else if (c == '`') {
      at = backquotes(word, at, false);
    } else {
      put(c, false);
      ++at;
    }
  }
}

size_t expansion::double_quotes(std::string_view word, size_t at) {
  exists_ = true;
  while (at < word.size() && word[at] != '"') {
    const char c = word[at];
    if (c == '$') {
      at = dollar(word, at, true);
    } else if (c == '`') {
      at = backquotes(word, at, true);
    } else {
      const bool escapes = c == '\\' && at + 1 < word.size() && strchr("$`\"\\\n", word[at + 1]);
      if (escapes) ++at;
      if (!escapes || word[at] != '\n') put(word[at], true);
      ++at;
    }
  }
  return at + 1;
}

void expansion::document(std::string_view document) {
  for (size_t at = 0; at < document.size();) {
    if (document[at] == '$') {
      at = dollar(document, at, true);
      continue;
    }
    if (document[at] == '\\' && at + 1 < document.size() && strchr("$`\\", document[at + 1])) ++at;
    put(document[at++], true);
  }
}

// `at` is the position of the dollar; returns the position behind the construct.
size_t expansion::dollar(std::string_view word, size_t at, bool quoted) {
  const char next = at + 1 < word.size() ? word[at + 1] : '\0';
  if (next == '(') {
    const size_t end = end_of_enclosed(word, at + 1, '(', ')');
    const std::string_view inside = word.substr(at + 2, end - at - 3);
    if (inside.starts_with('(') && inside.ends_with(')')) {
      char digits[16];
      snprintf(digits, sizeof digits, "%ld",
               evaluate(expand_single(inside.substr(1, inside.size() - 2))));
      put_value(digits, quoted);
    } else {
      put_value(command_output(inside), quoted);
    }
    return end;
  }
  if (next == '{') {
    const size_t end = end_of_enclosed(word, at + 1, '{', '}');
    braces(word.substr(at + 2, end - at - 3), quoted);
    return end;
  }
  size_t end = at + 1;
  while (end < word.size() && (isalnum(word[end]) || word[end] == '_')) ++end;
  if (isdigit(next) || (next && strchr("?$!#@*", next))) end = at + 2;
  if (end == at + 1)
    put('$', quoted);
  else
    parameter(word.substr(at + 1, end - at - 1), quoted);
  return end;
}

size_t expansion::backquotes(std::string_view word, size_t at, bool quoted) {
  size_t end = word.find('`', at + 1);
  if (end == word.npos) end = word.size();
  put_value(command_output(word.substr(at + 1, end - at - 1)), quoted);
  return end + 1;
}

// ${name}, ${#name}, and ${name:-word} with its relatives - := = :+ +.
void expansion::braces(std::string_view inside, bool quoted) {
  if (inside.size() > 1 && inside[0] == '#') {
    const char* value = variables::get(inside.substr(1));
    char digits[16];
    snprintf(digits, sizeof digits, "%zu", value ? strlen(value) : 0);
    return put_value(digits, quoted);
  }
  const size_t end = inside.find_first_of(":-=+");
  if (end == inside.npos) return parameter(inside, quoted);
  const std::string_view name = inside.substr(0, end);
  const bool colon = inside[end] == ':';
  const char operation = inside.size() > end + colon ? inside[end + colon] : '-';
  const std::string_view word =
      inside.substr(inside.size() < end + colon + 1 ? inside.size() : end + colon + 1);

  vector<text> none;
  expansion value_of(none, false);
  value_of.parameter(name, true);
  const text value = without_escapes(value_of.take());
  const bool given = colon ? !value.empty() : value_of.exists_ || variables::get(name);
  if (operation == '+') return given ? put_value(expand_single(word), quoted) : void();
  if (given) return put_value(value, quoted);
  const text other = expand_single(word);
  if (operation == '=') variables::set(name, other);
  put_value(other, quoted);
}

void expansion::parameter(std::string_view name, bool quoted) {
  if (name == "@" || name == "*") return all_arguments(name == "@", quoted);
  char digits[16] = "";
  const char* value = digits;
  if (name == "?")
    snprintf(digits, sizeof digits, "%d", shell.status);
  else if (name == "$")
    snprintf(digits, sizeof digits, "%d", shell.shell_pid);
  else if (name == "#")
    snprintf(digits, sizeof digits, "%zu", shell.arguments.size());
  else if (name == "!")
    shell.background ? (void)snprintf(digits, sizeof digits, "%d", shell.background) : void();
  else if (name == "0")
    value = shell.script_name.c_str();
  else if (isdigit(name[0]))
    value = static_cast<size_t>(atoi(text(name).c_str())) <= shell.arguments.size()
                ? shell.arguments[static_cast<size_t>(atoi(text(name).c_str())) - 1].c_str()
                : nullptr;
  else
    value = variables::get(name);
  if (value) put_value(value, quoted);
}

// "$@" keeps every argument one field; the others are joined by spaces.
void expansion::all_arguments(bool separate, bool quoted) {
  for (size_t n = 0; n < shell.arguments.size(); ++n) {
    if (n > 0 && splits_ && (separate || !quoted))
      end_field();
    else if (n > 0)
      put(' ', true);
    if (quoted) exists_ = true;
    put_value(shell.arguments[n], quoted);
  }
}

}  // namespace

void expand_word(std::string_view word, vector<text>& to) {
  vector<text> fields;
  expansion e(fields, true);
  e.word(word);
  e.end_field();
  for (text& field : fields) {
    const size_t before = to.size();
    if (has_wildcard(field)) match_files(field, to);
    if (to.size() == before) to.push_back(without_escapes(field));
  }
}

text expand_pattern(std::string_view word) {
  vector<text> none;
  expansion e(none, false);
  e.word(word);
  return e.take();
}

text expand_single(std::string_view word) { return without_escapes(expand_pattern(word)); }

text expand_document(std::string_view document) {
  vector<text> none;
  expansion e(none, false);
  e.document(document);
  return without_escapes(e.take());
}
