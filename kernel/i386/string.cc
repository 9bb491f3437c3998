// The functions that the compiler and the standard library's headers call.
#include <cstring>

#include "lib/types.h"

extern "C" {

void* memcpy(void* to, const void* from, size_t length) {
  void* at = to;
  size_t words = length / 4;
  size_t rest = length % 4;
  asm volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, size_t length) {
  auto* target = static_cast<u8*>(to);
  const auto* source = static_cast<const u8*>(from);
  if (target <= source || target >= source + length) return memcpy(to, from, length);
  target += length - 1;
  source += length - 1;
  asm volatile("std; rep movsb; cld" : "+D"(target), "+S"(source), "+c"(length) : : "memory");
  return to;
}

void* memset(void* to, int value, size_t length) {
  void* at = to;
  const u32 word = static_cast<u8>(value) * 0x01010101u;
  size_t words = length / 4;
  size_t rest = length % 4;
  asm volatile("rep stosl" : "+D"(at), "+c"(words) : "a"(word) : "memory");
  asm volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(word) : "memory");
  return to;
}

int memcmp(const void* left, const void* right, size_t length) {
  const auto* a = static_cast<const u8*>(left);
  const auto* b = static_cast<const u8*>(right);
  for (size_t i = 0; i < length; ++i)
    if (a[i] != b[i]) return a[i] - b[i];
  return 0;
}

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length]) ++length;
  return length;
}

}  // extern "C"

// <cstring> gives this one C++ linkage and its C name.
const void* memchr(const void* in, int value, size_t length) noexcept {
  const auto* bytes = static_cast<const u8*>(in);
  for (size_t i = 0; i < length; ++i)
    if (bytes[i] == static_cast<u8>(value)) return bytes + i;
  return nullptr;
}
