// Memory and strings, one byte at a time: short code matters more than speed. Copying and filling
// use the string instructions, which are short and fast.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void* memcpy(void* to, const void* from, size_t count) {
  void* const start = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
  return start;
}

void* memmove(void* to, const void* from, size_t count) {
  if (to <= from) return memcpy(to, from, count);
  const char* source = static_cast<const char*>(from);
  char* target = static_cast<char*>(to);
  while (count-- > 0) target[count] = source[count];
  return to;
}

void* memset(void* to, int value, size_t count) {
  void* const start = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
  return start;
}

int memcmp(const void* a, const void* b, size_t count) {
  const auto* left = static_cast<const unsigned char*>(a);
  const auto* right = static_cast<const unsigned char*>(b);
  for (; count > 0; --count, ++left, ++right)
    if (*left != *right) return *left - *right;
  return 0;
}

void* memchr(const void* in, int value, size_t count) {
  const auto* at = static_cast<const unsigned char*>(in);
  for (; count > 0; --count, ++at)
    if (*at == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(at);
  return nullptr;
}

size_t strlen(const char* s) {
  const char* end = s;
  while (*end) ++end;
  return static_cast<size_t>(end - s);
}

size_t strnlen(const char* s, size_t most) {
  size_t length = 0;
  while (length < most && s[length]) ++length;
  return length;
}

char* strcpy(char* to, const char* from) {
  memcpy(to, from, strlen(from) + 1);
  return to;
}

char* strncpy(char* to, const char* from, size_t count) {
  const size_t length = strnlen(from, count);
  memcpy(to, from, length);
  memset(to + length, 0, count - length);
  return to;
}

char* strcat(char* to, const char* from) {
  strcpy(to + strlen(to), from);
  return to;
}

int strcmp(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

int strncmp(const char* a, const char* b, size_t count) {
  for (; count > 0 && *a && *a == *b; --count) ++a, ++b;
  return count == 0 ? 0 : static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

int strcasecmp(const char* a, const char* b) {
  while (*a && tolower(*a) == tolower(*b)) ++a, ++b;
  return tolower(static_cast<unsigned char>(*a)) - tolower(static_cast<unsigned char>(*b));
}

char* strchr(const char* s, int c) {
  for (;; ++s) {
    if (*s == static_cast<char>(c)) return const_cast<char*>(s);
    if (!*s) return nullptr;
  }
}

char* strrchr(const char* s, int c) {
  const char* found = nullptr;
  for (;; ++s) {
    if (*s == static_cast<char>(c)) found = s;
    if (!*s) return const_cast<char*>(found);
  }
}

char* strstr(const char* in, const char* what) {
  const size_t length = strlen(what);
  for (; *in || length == 0; ++in)
    if (strncmp(in, what, length) == 0) return const_cast<char*>(in);
  return nullptr;
}

size_t strspn(const char* s, const char* accept) {
  size_t length = 0;
  while (s[length] && strchr(accept, s[length])) ++length;
  return length;
}

size_t strcspn(const char* s, const char* reject) {
  size_t length = 0;
  while (s[length] && !strchr(reject, s[length])) ++length;
  return length;
}

char* strtok(char* s, const char* delimiters) {
  static char* rest;
  if (!s) s = rest;
  if (!s) return nullptr;
  s += strspn(s, delimiters);
  if (!*s) return rest = nullptr;
  rest = s + strcspn(s, delimiters);
  if (*rest) *rest++ = '\0';
  return s;
}

char* strdup(const char* s) {
  const size_t size = strlen(s) + 1;
  void* copy = malloc(size);
  return copy ? static_cast<char*>(memcpy(copy, s, size)) : nullptr;
}
