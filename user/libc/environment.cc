// The environment, and finding programs by $PATH.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace {

constexpr int MOST_ARGUMENTS = 64;  // of execl
constexpr const char* DEFAULT_PATH = "/bin:/sbin:/etc";

char** owned_environment;  // set when `environ` is memory of ours

size_t environment_size() {
  size_t count = 0;
  while (environ && environ[count]) ++count;
  return count;
}

char** find_variable(const char* name) {
  const size_t length = strlen(name);
  for (char** variable = environ; variable && *variable; ++variable)
    if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') return variable;
  return nullptr;
}

// A file without #! and without an ELF header: a shell script.
void exec_as_script(const char* path, char* const argv[]) {
  size_t count = 0;
  while (argv[count]) ++count;
  auto** arguments = static_cast<char**>(malloc((count + 2) * sizeof(char*)));
  if (!arguments) return;
  arguments[0] = const_cast<char*>("sh");
  arguments[1] = const_cast<char*>(path);
  for (size_t n = 1; n <= count; ++n) arguments[n + 1] = argv[n];
  execve("/bin/sh", arguments, environ);
}

void collect(char* to[MOST_ARGUMENTS], const char* arg0, va_list arguments) {
  to[0] = const_cast<char*>(arg0);
  int count = 0;
  while (to[count] && ++count < MOST_ARGUMENTS - 1) to[count] = va_arg(arguments, char*);
  to[count] = nullptr;
}

}  // namespace

char* getenv(const char* name) {
  char** variable = find_variable(name);
  return variable ? *variable + strlen(name) + 1 : nullptr;
}

int setenv(const char* name, const char* value, int overwrite) {
  char** variable = find_variable(name);
  if (variable && !overwrite) return 0;
  const size_t size = strlen(name) + strlen(value) + 2;
  auto* text = static_cast<char*>(malloc(size));
  if (!text) return -1;
  snprintf(text, size, "%s=%s", name, value);
  if (variable) {
    *variable = text;
    return 0;
  }
  const size_t count = environment_size();
  auto** larger = static_cast<char**>(malloc((count + 2) * sizeof(char*)));
  if (!larger) return -1;
  memcpy(larger, environ, count * sizeof(char*));
  larger[count] = text;
  larger[count + 1] = nullptr;
  free(owned_environment);
  environ = owned_environment = larger;
  return 0;
}

int unsetenv(const char* name) {
  char** variable = find_variable(name);
  if (!variable) return 0;
  do variable[0] = variable[1];
  while (*variable++);
  return 0;
}

int execv(const char* path, char* const argv[]) { return execve(path, argv, environ); }

int execvp(const char* file, char* const argv[]) {
  const char* path = strchr(file, '/') ? "" : getenv("PATH");
  if (!path) path = DEFAULT_PATH;
  int reason = ENOENT;
  for (;;) {
    const size_t length = strcspn(path, ":");
    char whole[256];
    const int size = snprintf(whole, sizeof whole, "%.*s%s%s", static_cast<int>(length), path,
                              length ? "/" : "", file);
    errno = ENAMETOOLONG;
    if (static_cast<size_t>(size) < sizeof whole) execve(whole, argv, environ);
    if (errno == ENOEXEC) exec_as_script(whole, argv);
    if (errno != ENOENT && errno != ENOTDIR) reason = errno;
    path += length;
    if (!*path++) break;
  }
  errno = reason;
  return -1;
}

int execl(const char* path, const char* arg0, ...) {
  char* argv[MOST_ARGUMENTS];
  va_list arguments;
  va_start(arguments, arg0);
  collect(argv, arg0, arguments);
  va_end(arguments);
  return execv(path, argv);
}

int execlp(const char* file, const char* arg0, ...) {
  char* argv[MOST_ARGUMENTS];
  va_list arguments;
  va_start(arguments, arg0);
  collect(argv, arg0, arguments);
  va_end(arguments);
  return execvp(file, argv);
}
