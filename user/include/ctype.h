// Kinds of characters: ASCII only.
#pragma once

constexpr int isdigit(int c) { return c >= '0' && c <= '9'; }
constexpr int isupper(int c) { return c >= 'A' && c <= 'Z'; }
constexpr int islower(int c) { return c >= 'a' && c <= 'z'; }
constexpr int isalpha(int c) { return isupper(c) || islower(c); }
constexpr int isalnum(int c) { return isalpha(c) || isdigit(c); }
constexpr int isspace(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr int isprint(int c) { return c >= ' ' && c <= '~'; }
constexpr int toupper(int c) { return islower(c) ? c - 'a' + 'A' : c; }
constexpr int tolower(int c) { return isupper(c) ? c - 'A' + 'a' : c; }
