// Buffered files. A stream holds either bytes that were read ahead or bytes that wait to be
// written, never both. A failed write is kept, so that fclose reports it even when the result of
// the failing call was ignored.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct _IO_FILE {
  int fd;
  int failed;  // errno of the first failure
  bool opened, at_end, tty, tty_known;
  size_t first, last;  // buffer[first, last) was read and not yet taken
  size_t waiting;      // buffer[0, waiting) is to be written
  FILE* next;
  char buffer[BUFSIZ];
};

namespace {

FILE standard[3];  // all zeros: they cost no room in the program's file
FILE* opened_files;

bool is_terminal(FILE* file) {
  if (!file->tty_known) {
    const int kept = errno;
    file->tty = isatty(fileno(file));
    file->tty_known = true;
    errno = kept;
  }
  return file->tty;
}

bool flush(FILE* file) {
  const char* from = file->buffer;
  size_t left = file->waiting;
  file->waiting = 0;
  while (left > 0) {
    const ssize_t done = write(fileno(file), from, left);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      if (done == 0) errno = EIO;
      file->failed = errno;
      return false;
    }
    from += done;
    left -= static_cast<size_t>(done);
  }
  return true;
}

void put(FILE* file, const char* from, size_t count) {
  while (count > 0) {
    if (file->waiting == BUFSIZ && !flush(file)) return;
    const size_t part = count < BUFSIZ - file->waiting ? count : BUFSIZ - file->waiting;
    memcpy(file->buffer + file->waiting, from, part);
    file->waiting += part;
    from += part;
    count -= part;
  }
}

// Flushes a stream after a call where that is due: stderr always, a terminal after each line.
bool settle(FILE* file, const char* text, size_t count) {
  if (file == stderr) return flush(file);
  if (memchr(text, '\n', count) && is_terminal(file)) return flush(file);
  return !file->failed;
}

bool refill(FILE* file) {
  if (stdout->waiting > 0 && is_terminal(stdout)) flush(stdout);
  ssize_t count;
  do count = read(fileno(file), file->buffer, BUFSIZ);
  while (count < 0 && errno == EINTR);
  if (count < 0) file->failed = errno;
  if (count == 0) file->at_end = true;
  file->first = 0;
  file->last = count > 0 ? static_cast<size_t>(count) : 0;
  return count > 0;
}

int mode_flags(const char* mode) {
  const bool both = strchr(mode, '+') != nullptr;
  switch (*mode) {
    case 'w': return (both ? O_RDWR : O_WRONLY) | O_CREAT | O_TRUNC;
    case 'a': return (both ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND;
    default: return both ? O_RDWR : O_RDONLY;
  }
}

}  // namespace

FILE* const stdin = &standard[0];
FILE* const stdout = &standard[1];
FILE* const stderr = &standard[2];

int fileno(FILE* file) { return file->opened ? file->fd : static_cast<int>(file - standard); }
int feof(FILE* file) { return file->at_end; }
int ferror(FILE* file) { return file->failed; }

FILE* fdopen(int fd, const char*) {
  auto* file = static_cast<FILE*>(calloc(1, sizeof(FILE)));
  if (!file) return nullptr;
  file->fd = fd;
  file->opened = true;
  file->next = opened_files;
  opened_files = file;
  return file;
}

FILE* fopen(const char* path, const char* mode) {
  const int fd = open(path, mode_flags(mode), 0666);
  if (fd < 0) return nullptr;
  FILE* file = fdopen(fd, mode);
  if (!file) close(fd);
  return file;
}

int fclose(FILE* file) {
  flush(file);
  int reason = file->failed;
  if (close(fileno(file)) < 0 && !reason) reason = errno;
  if (file->opened) {
    FILE** link = &opened_files;
    while (*link != file) link = &(*link)->next;
    *link = file->next;
    free(file);
  }
  if (reason) errno = reason;
  return reason ? EOF : 0;
}

int fflush(FILE* file) {
  if (file) return flush(file) ? 0 : EOF;
  bool good = flush(stdout);
  for (FILE* each = opened_files; each; each = each->next) good &= flush(each);
  return good ? 0 : EOF;
}

int fgetc(FILE* file) {
  if (file->first == file->last && !refill(file)) return EOF;
  return static_cast<unsigned char>(file->buffer[file->first++]);
}
int getc(FILE* file) { return fgetc(file); }
int getchar() { return fgetc(stdin); }

int ungetc(int c, FILE* file) {
  if (c == EOF || file->first == 0) return EOF;
  file->buffer[--file->first] = static_cast<char>(c);
  file->at_end = false;
  return c;
}

size_t fread(void* to, size_t size, size_t count, FILE* file) {
  char* at = static_cast<char*>(to);
  size_t left = size * count;
  while (left > 0) {
    if (file->first == file->last && !refill(file)) break;
    const size_t ready = file->last - file->first;
    const size_t part = left < ready ? left : ready;
    memcpy(at, file->buffer + file->first, part);
    file->first += part;
    at += part;
    left -= part;
  }
  return size ? (size * count - left) / size : 0;
}

char* fgets(char* to, int size, FILE* file) {
  int length = 0;
  for (int c; length < size - 1 && (c = fgetc(file)) != EOF;) {
    to[length++] = static_cast<char>(c);
    if (c == '\n') break;
  }
  to[length] = '\0';
  return length ? to : nullptr;
}

ssize_t getline(char** line, size_t* size, FILE* file) {
  size_t length = 0;
  for (int c; (c = fgetc(file)) != EOF;) {
    if (length + 2 > *size || !*line) {
      const size_t larger = *size < 64 ? 128 : *size * 2;
      void* memory = realloc(*line, larger);
      if (!memory) return -1;
      *line = static_cast<char*>(memory);
      *size = larger;
    }
    (*line)[length++] = static_cast<char>(c);
    if (c == '\n') break;
  }
  if (length == 0) return -1;
  (*line)[length] = '\0';
  return static_cast<ssize_t>(length);
}

size_t fwrite(const void* from, size_t size, size_t count, FILE* file) {
  const char* text = static_cast<const char*>(from);
  put(file, text, size * count);
  return settle(file, text, size * count) ? count : 0;
}

int fputc(int c, FILE* file) {
  const char text = static_cast<char>(c);
  return fwrite(&text, 1, 1, file) == 1 ? c : EOF;
}
int putc(int c, FILE* file) { return fputc(c, file); }
int putchar(int c) { return fputc(c, stdout); }

int fputs(const char* s, FILE* file) {
  const size_t length = strlen(s);
  return fwrite(s, 1, length, file) == length ? 0 : EOF;
}
int puts(const char* s) { return fputs(s, stdout) == EOF ? EOF : putchar('\n'); }

void perror(const char* what) {
  const int reason = errno;
  fprintf(stderr, "%s: %s\n", what, strerror(reason));
}

int remove(const char* path) {
  if (unlink(path) == 0) return 0;
  return errno == EISDIR || errno == EPERM ? rmdir(path) : -1;
}
