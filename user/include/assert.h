// A condition that must be true in a correct program.
#pragma once

extern "C" [[noreturn]] void assertion_failed(const char* what, const char* file, int line);

#define assert(condition) ((condition) ? void() : assertion_failed(#condition, __FILE__, __LINE__))
