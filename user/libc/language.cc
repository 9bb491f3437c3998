// The functions that the C++ language needs: new and delete over malloc (without memory the program
// ends), and the one that std::string_view calls on a bad index.
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

namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...);
void __throw_out_of_range_fmt(const char*, ...) { abort(); }
}  // namespace std
