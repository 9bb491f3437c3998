// Memory and strings.
#pragma once

#include <stddef.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t count);
void* memmove(void* to, const void* from, size_t count);
void* memset(void* to, int value, size_t count);
int memcmp(const void* a, const void* b, size_t count);
void* memchr(const void* in, int value, size_t count);
size_t strlen(const char* s);
size_t strnlen(const char* s, size_t most);
char* strcpy(char* to, const char* from);
char* strncpy(char* to, const char* from, size_t count);
char* strcat(char* to, const char* from);
int strcmp(const char* a, const char* b);
int strncmp(const char* a, const char* b, size_t count);
int strcasecmp(const char* a, const char* b);
char* strchr(const char* s, int c);
char* strrchr(const char* s, int c);
char* strstr(const char* in, const char* what);
size_t strspn(const char* s, const char* accept);
size_t strcspn(const char* s, const char* reject);
char* strtok(char* s, const char* delimiters);
char* strdup(const char* s);
const char* strerror(int error_nr);
}
