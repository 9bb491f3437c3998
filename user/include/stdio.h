// Buffered files and formatted text. The conversions of printf are those of lib/format.h.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

constexpr int EOF = -1;
constexpr size_t BUFSIZ = 1024;

// The name under it is the one that the toolchain's <wchar.h> gives it too.
struct _IO_FILE;
using FILE = _IO_FILE;

extern "C" {
extern FILE* const stdin;
extern FILE* const stdout;  // flushed at every newline when it is a terminal, and at exit
extern FILE* const stderr;  // flushed after every call

FILE* fopen(const char* path, const char* mode);
FILE* fdopen(int fd, const char* mode);
int fclose(FILE* file);  // EOF also when bytes written earlier could not be written to the file
int fflush(FILE* file);  // null: every stream
int fileno(FILE* file);
int feof(FILE* file);
int ferror(FILE* file);

size_t fread(void* to, size_t size, size_t count, FILE* file);
size_t fwrite(const void* from, size_t size, size_t count, FILE* file);
int fgetc(FILE* file);
int getc(FILE* file);
int getchar();
int ungetc(int c, FILE* file);
char* fgets(char* to, int size, FILE* file);
ssize_t getline(char** line, size_t* size, FILE* file);
int fputc(int c, FILE* file);
int putc(int c, FILE* file);
int putchar(int c);
int fputs(const char* s, FILE* file);
int puts(const char* s);

int printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE* file, const char* format, ...) __attribute__((format(printf, 2, 3)));
int sprintf(char* to, const char* format, ...) __attribute__((format(printf, 2, 3)));
int snprintf(char* to, size_t size, const char* format, ...) __attribute__((format(printf, 3, 4)));
int vprintf(const char* format, va_list arguments);
int vfprintf(FILE* file, const char* format, va_list arguments);
int vsnprintf(char* to, size_t size, const char* format, va_list arguments);
void perror(const char* what);

int remove(const char* path);
int rename(const char* from, const char* to);
}
