// new and delete over malloc. A program that finds no memory ends: there is nothing better to do.
#include <stdlib.h>
#include <tool.h>

void* operator new(size_t size) {
  void* memory = malloc(size);
  if (!memory) tool::die("out of memory", "giving up");
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
