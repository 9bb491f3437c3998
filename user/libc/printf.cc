// Formatted text into streams and strings; the work is done by lib/format.cc.
#include <stdio.h>
#include <stdlib.h>

#include "lib/format.h"

int vsnprintf(char* to, size_t size, const char* format, va_list arguments) {
  return static_cast<int>(format_to({to, size}, format, arguments));
}

int snprintf(char* to, size_t size, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(to, size, format, arguments);
  va_end(arguments);
  return length;
}

int sprintf(char* to, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(to, 0x10000, format, arguments);
  va_end(arguments);
  return length;
}

int vfprintf(FILE* file, const char* format, va_list arguments) {
  char room[256];
  const int length = vsnprintf(room, sizeof room, format, arguments);
  const auto size = static_cast<size_t>(length);
  if (size < sizeof room) return fwrite(room, 1, size, file) == size ? length : -1;
  char* text = static_cast<char*>(malloc(size + 1));
  if (!text) return -1;
  vsnprintf(text, size + 1, format, arguments);
  const bool written = fwrite(text, 1, size, file) == size;
  free(text);
  return written ? length : -1;
}

int vprintf(const char* format, va_list arguments) { return vfprintf(stdout, format, arguments); }

int fprintf(FILE* file, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vfprintf(file, format, arguments);
  va_end(arguments);
  return length;
}

int printf(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vfprintf(stdout, format, arguments);
  va_end(arguments);
  return length;
}
