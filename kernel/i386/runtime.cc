// What the C++ language expects to find at link time. Nothing in the kernel uses `new` from a heap:
// objects stand in static storage, in pages, or on a stack.
#include <new>

#include "hal/panic.h"
#include "lib/types.h"

extern "C" {

void* __dso_handle = nullptr;

// Static objects live until the power goes off.
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }

[[noreturn]] void __cxa_pure_virtual() { panic("a pure virtual function was called"); }

}  // extern "C"

// A virtual destructor refers to these, although nothing is ever deleted.
void operator delete(void*) noexcept { panic("operator delete was called"); }
void operator delete(void*, size_t) noexcept { panic("operator delete was called"); }

namespace std {
void __throw_length_error(const char* what) { panic("%s", what); }
void __throw_out_of_range_fmt(const char* what, ...) { panic("%s", what); }
}  // namespace std
