// What a command line means: the tree that the parser builds and the executor walks.
//
//   line      sequence of  and-or [ & ]  …
//   and-or    pipeline  && pipeline  || pipeline …
//   pipeline  [!] command | command …
//   command   simple, or  if while until for { } ( )  with redirections behind
//
// Words stand here as they were typed, with their quotes; expand.h makes arguments of them.
#pragma once

#include <owner.h>
#include <text.h>
#include <vector.h>

#include "user/bin/sh/source.h"

enum class node_kind {
  simple,      // words: assignments, then name and arguments
  pipeline,    // parts
  not_true,    // parts[0]
  and_then,    // parts[0] && parts[1]
  or_else,     // parts[0] || parts[1]
  sequence,    // parts one after the other
  background,  // parts[0] &
  if_clause,   // parts: condition, body, condition, body … and perhaps the else body
  while_loop,  // parts: condition, body
  until_loop,
  for_loop,     // words: variable, then the values; parts[0] the body
  case_clause,  // words[0] the subject; parts of kind case_item
  case_item,    // words: the patterns; parts[0] the body
  group,        // parts[0] in braces
  subshell,     // parts[0] in parentheses
};

enum class redirection_kind { input, output, append, both, duplicate, here };

struct redirection {
  redirection_kind kind;
  int fd;
  text word;             // file, descriptor, or the here-document itself
  bool literal = false;  // a here-document with a quoted end mark
};

struct node {
  explicit node(node_kind k) : kind(k) {}
  node_kind kind;
  bool over_arguments = false;  // for NAME; do: the values are "$@"
  vector<text> words;
  vector<redirection> redirections;
  vector<owner<node>> parts;
};

enum class parse_result { command, nothing, end, error };

// Reads one complete command line. `error`: it has been printed.
parse_result parse_line(source& from, owner<node>& to);
// For messages: the command, roughly as it was typed.
text describe(const node& command);
