// From words as typed to arguments: $NAME and its relatives, $(command), $((arithmetic)), quotes,
// splitting at blanks, file name patterns.
//
// In between, text is kept as a *pattern*: a quoted * ? [ or \ has a backslash before it. So one
// string holds the characters and tells which of them are pattern characters.
#pragma once

#include <text.h>
#include <vector.h>

// Appends the arguments that `word` becomes: none, one or several.
void expand_word(std::string_view word, vector<text>& to);
// Exactly one, neither split nor matched against files: assignments, redirections.
text expand_single(std::string_view word);
// The same, still as a pattern: case.
text expand_pattern(std::string_view word);
// The lines of a here-document: quotes are ordinary characters there.
text expand_document(std::string_view document);

// glob.cc: the files that match, sorted; nothing when none does.
void match_files(std::string_view pattern, vector<text>& to);
bool has_wildcard(std::string_view pattern);
bool matches(const char* pattern, const char* name);
text without_escapes(std::string_view pattern);

// arithmetic.cc. An error prints a message and gives 0.
long evaluate(std::string_view expression);
