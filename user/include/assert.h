// A program's belief about itself.
#pragma once

extern "C" [[noreturn]] void assertion_failed(const char* what, const char* file, int line);

#define assert(condition) ((condition) ? void() : assertion_failed(#condition, __FILE__, __LINE__))
