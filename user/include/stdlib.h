// Memory, numbers, the environment, the end.
#pragma once

#include <stddef.h>

constexpr int EXIT_SUCCESS = 0, EXIT_FAILURE = 1;

extern "C" {
void* malloc(size_t size);
void* calloc(size_t count, size_t size);
void* realloc(void* memory, size_t size);
void free(void* memory);

int atoi(const char* s);
long strtol(const char* s, char** end, int base);
unsigned long strtoul(const char* s, char** end, int base);
int abs(int value);
int rand();
void srand(unsigned seed);
void qsort(void* base, size_t count, size_t size, int (*compare)(const void*, const void*));

char* getenv(const char* name);
int setenv(const char* name, const char* value, int overwrite);
int unsetenv(const char* name);

[[noreturn]] void exit(int status);  // flushes stdout and every other stream first
[[noreturn]] void abort();
}
