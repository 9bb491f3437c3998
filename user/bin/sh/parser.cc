// From words and operators to the tree of syntax.h, by recursive descent: one function for each
// line of the grammar. The first error is printed and ends the command.
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>

#include "user/bin/sh/lexer.h"
#include "user/bin/sh/syntax.h"

namespace {

using node_ref = owner<node>;

node_ref make(node_kind kind) { return node_ref(new node(kind)); }

class parser {
 public:
  explicit parser(source& from) : from_(from), lexer_(from) {}

  parse_result line(node_ref& to);

 private:
  void advance();
  bool word_is(std::string_view word) const { return token_.is_word(word); }
  bool at_separator() const {
    return token_.is(";") || token_.is("&") || token_.kind == token_kind::newline;
  }
  bool at_list_end() const;
  node_ref fail();
  bool expect_word(std::string_view word);
  bool expect_operation(std::string_view operation);
  void skip_newlines();
  void read_here_documents();

  node_ref sequence(bool one_line);
  node_ref and_or();
  node_ref pipeline();
  node_ref command();
  node_ref simple();
  node_ref if_clause();
  node_ref loop(node_kind kind);
  node_ref for_loop();
  node_ref case_clause();
  node_ref case_item();
  node_ref enclosed(node_kind kind);
  bool body(node& to, std::string_view begin, std::string_view end);
  bool redirections(node& to);
  bool one_redirection(node& to);

  source& from_;
  lexer lexer_;
  token token_;
  bool failed_ = false;
  struct place {
    node* command;
    size_t redirection;
  };
  vector<place> here_documents_;  // whose text begins in the next line
};

void parser::advance() {
  token_ = lexer_.next();
  if (token_.kind == token_kind::newline) read_here_documents();
}

void parser::read_here_documents() {
  for (const place& where : here_documents_) {
    redirection& r = where.command->redirections[where.redirection];
    const text mark = std::move(r.word);
    r.word = text();
    for (text line; lexer_.raw_line(line) && !(line == mark.view()); line.clear())
      r.word.add(line.view()).add('\n');
  }
  here_documents_.clear();
}

node_ref parser::fail() {
  if (!failed_ && !from_.cancelled()) {
    if (token_.kind == token_kind::error)
      tool::complain("syntax error", token_.spelling.c_str());
    else if (token_.kind == token_kind::end)
      tool::complain("syntax error", "the command is not complete");
    else
      tool::complain("syntax error near", token_.spelling.c_str());
  }
  failed_ = true;
  return {};
}

bool parser::expect_word(std::string_view word) {
  if (!word_is(word)) return fail(), false;
  advance();
  return true;
}

bool parser::expect_operation(std::string_view operation) {
  if (!token_.is(operation)) return fail(), false;
  advance();
  return true;
}

void parser::skip_newlines() {
  while (token_.kind == token_kind::newline) advance();
}

// The words and operators that end a list of commands, whatever construct the list belongs to.
bool parser::at_list_end() const {
  if (token_.kind == token_kind::end || token_.kind == token_kind::error) return true;
  if (token_.is(")") || token_.is(";;")) return true;
  for (const char* word : {"then", "elif", "else", "fi", "do", "done", "esac", "}"})
    if (word_is(word)) return true;
  return false;
}

parse_result parser::line(node_ref& to) {
  from_.continues(false);
  advance();
  if (token_.kind == token_kind::end) {
    return from_.cancelled() ? parse_result::nothing : parse_result::end;
  }
  if (token_.kind == token_kind::newline) return parse_result::nothing;
  from_.continues(true);
  to = sequence(true);
  if (to && token_.kind != token_kind::newline && token_.kind != token_kind::end) fail();
  while (failed_ && token_.kind != token_kind::newline && token_.kind != token_kind::end &&
         token_.kind != token_kind::error)
    advance();
  if (failed_ && from_.cancelled()) return parse_result::nothing;
  return failed_ ? parse_result::error : parse_result::command;
}

// Commands with ; & or newlines between. `one_line`: the newline ends it, and stays.
node_ref parser::sequence(bool one_line) {
  node_ref list = make(node_kind::sequence);
  if (!one_line) skip_newlines();
  while (!at_list_end()) {
    node_ref next = and_or();
    if (!next) return {};
    if (token_.is("&")) {
      node_ref background = make(node_kind::background);
      background->parts.push_back(std::move(next));
      next = std::move(background);
    }
    list->parts.push_back(std::move(next));
    if (!at_separator()) break;
    if (one_line && token_.kind == token_kind::newline) break;
    advance();
    if (!one_line) skip_newlines();
    if (one_line && token_.kind == token_kind::newline) break;
  }
  if (list->parts.empty()) return fail();
  return list;
}

node_ref parser::and_or() {
  node_ref left = pipeline();
  while (left && (token_.is("&&") || token_.is("||"))) {
    node_ref both = make(token_.is("&&") ? node_kind::and_then : node_kind::or_else);
    advance();
    skip_newlines();
    node_ref right = pipeline();
    if (!right) return {};
    both->parts.push_back(std::move(left));
    both->parts.push_back(std::move(right));
    left = std::move(both);
  }
  return left;
}

node_ref parser::pipeline() {
  if (word_is("!")) {
    advance();
    node_ref negation = make(node_kind::not_true);
    node_ref what = pipeline();
    if (!what) return {};
    negation->parts.push_back(std::move(what));
    return negation;
  }
  node_ref first = command();
  if (!first || !token_.is("|")) return first;
  node_ref pipes = make(node_kind::pipeline);
  pipes->parts.push_back(std::move(first));
  while (token_.is("|")) {
    advance();
    skip_newlines();
    node_ref next = command();
    if (!next) return {};
    pipes->parts.push_back(std::move(next));
  }
  return pipes;
}

node_ref parser::command() {
  node_ref result;
  if (word_is("if"))
    result = if_clause();
  else if (word_is("while"))
    result = loop(node_kind::while_loop);
  else if (word_is("until"))
    result = loop(node_kind::until_loop);
  else if (word_is("for"))
    result = for_loop();
  else if (word_is("case"))
    result = case_clause();
  else if (word_is("{"))
    result = enclosed(node_kind::group);
  else if (token_.is("("))
    result = enclosed(node_kind::subshell);
  else
    return simple();
  return result && redirections(*result) ? std::move(result) : node_ref();
}

node_ref parser::simple() {
  if (at_list_end()) return fail();
  node_ref command = make(node_kind::simple);
  for (;;) {
    if (token_.kind == token_kind::word) {
      command->words.push_back(std::move(token_.spelling));
      advance();
      continue;
    }
    const size_t before = command->redirections.size();
    if (!redirections(*command)) return {};
    if (command->redirections.size() == before) break;
  }
  if (command->words.empty() && command->redirections.empty()) return fail();
  return command;
}

bool parser::redirections(node& to) {
  while (token_.kind == token_kind::number ||
         (token_.kind == token_kind::operation && strchr("<>", token_.spelling[0])))
    if (!one_redirection(to)) return false;
  return true;
}

bool parser::one_redirection(node& to) {
  int fd = -1;
  if (token_.kind == token_kind::number) {
    fd = atoi(token_.spelling.c_str());
    advance();
  }
  const bool input = token_.spelling[0] == '<';
  redirection_kind kind = input ? redirection_kind::input : redirection_kind::output;
  if (token_.is(">>")) kind = redirection_kind::append;
  if (token_.is("<>")) kind = redirection_kind::both;
  if (token_.is("<<")) kind = redirection_kind::here;
  if (token_.is(">&") || token_.is("<&")) kind = redirection_kind::duplicate;
  advance();
  if (token_.kind != token_kind::word) return fail(), false;
  redirection r{kind, fd >= 0 ? fd : input ? 0 : 1, std::move(token_.spelling)};
  if (kind == redirection_kind::here) {
    text mark;
    for (char c : r.word.view())
      if (strchr("'\"\\", c))
        r.literal = true;
      else
        mark.add(c);
    r.word = std::move(mark);
    here_documents_.push_back({&to, to.redirections.size()});
  }
  to.redirections.push_back(std::move(r));
  advance();
  return true;
}

// begin … end, appended to the parts.
bool parser::body(node& to, std::string_view begin, std::string_view end) {
  if (!begin.empty() && !expect_word(begin)) return false;
  node_ref list = sequence(false);
  if (!list || (!end.empty() && !expect_word(end))) return false;
  to.parts.push_back(std::move(list));
  return true;
}

node_ref parser::if_clause() {
  node_ref clause = make(node_kind::if_clause);
  do {
    advance();
    if (!body(*clause, "", "") || !body(*clause, "then", "")) return {};
  } while (word_is("elif"));
  if (word_is("else") && !body(*clause, "else", "")) return {};
  return expect_word("fi") ? std::move(clause) : node_ref();
}

node_ref parser::loop(node_kind kind) {
  node_ref result = make(kind);
  advance();
  return body(*result, "", "") && body(*result, "do", "done") ? std::move(result) : node_ref();
}

node_ref parser::for_loop() {
  node_ref result = make(node_kind::for_loop);
  advance();
  if (token_.kind != token_kind::word) return fail();
  result->words.push_back(std::move(token_.spelling));
  advance();
  skip_newlines();
  result->over_arguments = !word_is("in");
  if (word_is("in"))
    for (advance(); token_.kind == token_kind::word; advance())
      result->words.push_back(std::move(token_.spelling));
  if (at_separator()) advance();
  skip_newlines();
  return body(*result, "do", "done") ? std::move(result) : node_ref();
}

node_ref parser::case_clause() {
  node_ref result = make(node_kind::case_clause);
  advance();
  if (token_.kind != token_kind::word) return fail();
  result->words.push_back(std::move(token_.spelling));
  advance();
  skip_newlines();
  if (!expect_word("in")) return {};
  skip_newlines();
  while (!word_is("esac")) {
    node_ref item = case_item();
    if (!item) return {};
    result->parts.push_back(std::move(item));
    skip_newlines();
  }
  advance();
  return result;
}

node_ref parser::case_item() {
  node_ref item = make(node_kind::case_item);
  if (token_.is("(")) advance();
  for (;;) {
    if (token_.kind != token_kind::word) return fail();
    item->words.push_back(std::move(token_.spelling));
    advance();
    if (!token_.is("|")) break;
    advance();
  }
  if (!expect_operation(")")) return {};
  skip_newlines();
  if (token_.is(";;") || word_is("esac"))
    item->parts.push_back(make(node_kind::sequence));
  else if (!body(*item, "", ""))
    return {};
  if (token_.is(";;"))
    advance();
  else if (!word_is("esac"))
    return fail();
  return item;
}

node_ref parser::enclosed(node_kind kind) {
  node_ref result = make(kind);
  advance();
  if (!body(*result, "", kind == node_kind::group ? "}" : "")) return {};
  if (kind == node_kind::subshell && !expect_operation(")")) return {};
  return result;
}

void describe_into(text& to, const node& command) {
  if (command.kind == node_kind::simple) {
    for (const text& word : command.words) {
      if (!to.empty() && to.back() != ' ') to.add(' ');
      to.add(word.view());
    }
    return;
  }
  const char* between = command.kind == node_kind::pipeline   ? " | "
                        : command.kind == node_kind::and_then ? " && "
                        : command.kind == node_kind::or_else  ? " || "
                                                              : "; ";
  for (size_t n = 0; n < command.parts.size(); ++n) {
    if (n > 0) to.add(between);
    describe_into(to, *command.parts[n]);
  }
}

}  // namespace

parse_result parse_line(source& from, owner<node>& to) { return parser(from).line(to); }

text describe(const node& command) {
  text result;
  describe_into(result, command);
  return result;
}
